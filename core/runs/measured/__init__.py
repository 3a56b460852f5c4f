"""Results that are kept with a run."""
