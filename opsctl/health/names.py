"""Names of checks: a family, and what of it."""

import re


def check_id(family: str, name: str) -> str:
    """`visit.blog`, `disk.var_lib_mysql`: the same for the same thing, always."""
    return f"{family}.{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_') or 'root'}"
