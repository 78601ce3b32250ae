"""The vault, without a server."""
