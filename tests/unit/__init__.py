"""Tests that need neither root nor Debian's programs."""
