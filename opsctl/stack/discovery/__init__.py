"""Finds out what a host's stack consists of, by reading its files."""
