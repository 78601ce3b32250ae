"""Reads `.env` files."""

import re

_LINE = re.compile(r"^\s*(?:export\s+)?([\w.]+)\s*=\s*(.*?)\s*$")
_QUOTED = re.compile(r"""(['"])((?:\\.|(?!\1).)*)\1\s*(?:#.*)?""")


def read_dotenv(text: str) -> dict[str, str | None]:
    """The settings in a `.env` file; None for a value that refers to others. The last line of a name counts."""
    found: dict[str, str | None] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        name, raw = match.groups()
        quoted = _QUOTED.fullmatch(raw)
        if quoted is None:
            value = re.split(r"\s+#", raw, maxsplit=1)[0].strip()
        else:
            value = quoted[2] if quoted[1] == "'" else re.sub(r"\\(.)", r"\1", quoted[2])
        refers = "${" in value and not (quoted and quoted[1] == "'")
        found[name] = None if refers else value
    return found
