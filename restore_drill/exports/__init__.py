"""Logical exports brought back: loaded into a new server of whatever version is installed, drilled, delivered."""
