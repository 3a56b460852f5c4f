"""Canvases for the browser, one folder each: its face in Python, its markup, style and scripts.

`component.py` has what they have in common in Python, `shared/` what they have in common in the browser.
"""
