"""Models that somebody else trained: reading their files without running any code in them."""
