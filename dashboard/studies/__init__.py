"""The page of studies and verdicts."""
