"""Reads the vault: messages, figures, and who did what."""
