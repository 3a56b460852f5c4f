"""Runs that come with the program."""
