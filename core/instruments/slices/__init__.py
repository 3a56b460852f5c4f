"""Slices of the decision function: which plane, which classes lie on it, and a line through it."""
