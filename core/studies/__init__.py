"""Studies: grids of runs with their controls, computed cell by cell, and what they say about the paper's claims."""
