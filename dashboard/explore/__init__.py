"""The sections of Explore, one a file; `dashboard/views/explore.py` puts them together."""
