"""The pages, one file each: read state, call core, draw."""
