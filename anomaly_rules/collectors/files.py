"""Text files with samples, packed or not."""

import glob
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError


def text_lines(file: Path) -> Iterator[str]:
    """The lines of a text file, unpacked if its name ends in .gz. Raises OpsError for one that is cut off, OSError."""
    try:
        with gzip.open(file, "rt", errors="replace") if file.suffix == ".gz" else file.open(errors="replace") as lines:
            yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OpsError(f"the file cannot be unpacked: {error}", where=str(file), hint="is it whole? gzip -t") from error


def matching(pattern: str) -> tuple[Path, ...]:
    """The files of a pattern, oldest first. Raises OpsError when there are none."""
    found = [Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file()]
    if not found:
        raise OpsError("there is no such file", where=pattern, hint="correct `files` under [[sources]]")
    return tuple(sorted(found, key=lambda file: (file.stat().st_mtime, file.name)))
