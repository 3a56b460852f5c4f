"""The page of shipped runs."""
