"""The sections of Explore, one a file; `dashboard/explore/page.py` puts them together."""
