"""Copies of the host's repository in others: what there is to copy, how it goes there, and what was proved of it."""
