"""Grids of runs, and what becomes of the paper's claims in them."""
