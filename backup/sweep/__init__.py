"""Verification at rest: every archive read again within a month, and whether a repository still grows."""
