"""One training as a stream of events that can be resumed."""
