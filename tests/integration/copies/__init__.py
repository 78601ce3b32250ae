"""Copies to other repositories, what is kept of them, and what is verified."""
