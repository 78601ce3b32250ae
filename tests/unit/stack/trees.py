"""Small hosts for tests: files by their paths, a value of `link:TARGET` makes a symbolic link."""

from collections.abc import Mapping
from pathlib import Path


def make_tree(root: Path, files: Mapping[str, str]) -> Path:
    """Write `files`, whose paths are absolute as on the host, below `root`; return `root`."""
    for path, content in files.items():
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("link:"):
            place.symlink_to(content.removeprefix("link:"))
        elif path.endswith("/"):
            place.mkdir(exist_ok=True)
        else:
            place.write_text(content)
    return root
