"""Restore a backup into a scratch server and check what came back."""
