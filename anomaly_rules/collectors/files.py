"""Text files with samples, packed or not."""

import csv
import glob
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from opsctl.core.errors import OpsError

_MORE = "(more)"


def text_lines(file: Path) -> Iterator[str]:
    """The lines of a text file, unpacked if its name ends in .gz. Raises OpsError for one that is cut off, OSError."""
    try:
        with gzip.open(file, "rt", errors="replace") if file.suffix == ".gz" else file.open(errors="replace") as lines:
            yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise OpsError(f"the file cannot be unpacked: {error}", where=str(file), hint="is it whole? gzip -t") from error


def csv_rows(file: Path) -> Iterator[dict[str, str | None]]:
    """The rows of a CSV file by its header; columns beyond it are left out. Raises OpsError for what is no CSV."""
    lines = text_lines(file)
    # Spreadsheets begin their files with a byte order mark.
    unmarked = (line.removeprefix("\ufeff") if number == 0 else line for number, line in enumerate(lines))
    try:
        for row in csv.DictReader(unmarked, restkey=_MORE):
            yield {name: value for name, value in row.items() if name != _MORE}
    except csv.Error as error:
        raise OpsError(f"the file is no CSV: {error}", where=str(file), hint="look at it: head") from error


def matching(pattern: str) -> tuple[Path, ...]:
    """The files of a pattern, oldest first. Raises OpsError when there are none."""
    found = [Path(name) for name in glob.glob(pattern, recursive=True) if Path(name).is_file()]
    if not found:
        raise OpsError("there is no such file", where=pattern, hint="correct `files` under [[sources]]")
    return tuple(sorted(found, key=lambda file: (file.stat().st_mtime, file.name)))
