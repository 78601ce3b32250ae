"""Quantities in sentences."""


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 table`, `2 tables`, `1,204 tables`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
