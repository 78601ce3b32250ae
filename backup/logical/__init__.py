"""Logical exports: the whole database as SQL, which other versions and other servers read."""
