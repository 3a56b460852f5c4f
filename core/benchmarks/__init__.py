"""The speed table: what it measures and the plain references it is held against."""
