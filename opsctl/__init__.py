"""opsctl: back a customer's stack up, and prove by drill that the backup restores."""

__version__ = "0.1.0"
