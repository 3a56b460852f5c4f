"""The run directory: the protocol between all who read and write results."""
