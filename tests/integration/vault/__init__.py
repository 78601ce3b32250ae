"""The vault on real servers."""
