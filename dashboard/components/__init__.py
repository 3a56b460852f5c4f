"""Canvases for the browser: each its Python face, script and style side by side."""
