"""The first page: one stop sign, its trigger, noisy copies, W and a slice."""
