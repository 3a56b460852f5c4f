"""The library of runs: what people call them, what is known of each at a glance, deleting and restoring."""
