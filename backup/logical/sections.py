"""Takes one run of mariadb-dump over all databases apart into a piece for each of them.

One run reads one snapshot; a run for each database would read as many. What mariadb-dump prints is: settings of the
session; then each database behind a heading; then, when there are views, each database again with its views.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO

from backup.logical.inventory import quoted
from opsctl.core.errors import IntegrityError

_HEADING = b"\n--\n-- Current Database: "
_HEADING_END = b"\n--\n"
_COMPLETED = b"\n-- Dump completed"
_CHUNK = 1 << 20
# Longer than any name of a database in UTF-8, quoted, with its heading.
_OVERLAP = 2048


@dataclass(frozen=True)
class Heading:
    """What a piece is about: a database, and whether its tables or its views."""

    database: str
    views: bool


class Sections:
    """Reads the dump from `stream`; `databases` are those that were asked for, in their order, and `views` is whether
    any of them has a view.

    The text of a routine can hold what looks like a heading. Then there is one too many, and the dump is refused:
    nothing is ever put where it does not belong.
    """

    def __init__(self, stream: IO[bytes], databases: Sequence[str], *, views: bool) -> None:
        self._stream = stream
        self._expected = [Heading(name, of) for of in ((False, True) if views else (False,)) for name in databases]
        self._buffer = bytearray()
        self._ended = False
        self._tail = b""

    def __iter__(self) -> Iterator[tuple[Heading, "Section"]]:
        """Each piece with its heading; one has to be read, or `drain`ed, before the next is asked for.

        Raises IntegrityError when the dump is not of its form or not whole.
        """
        settings = Section(self)
        prologue = settings.drain()
        found = 0
        while not self._at_end():
            heading = self._expected[found] if found < len(self._expected) else None
            if heading is None or not self._take_heading(heading.database):
                raise self._not_of_its_form()
            found += 1
            yield heading, Section(self, prologue + self._printed(heading.database))
        if found < len(self._expected):
            raise IntegrityError(f"the dump ends after {found} of the {len(self._expected)} pieces that it should have")
        if _COMPLETED not in self._tail:
            raise IntegrityError("the dump does not end in '-- Dump completed': it is not whole")

    def read(self, limit: int) -> bytes:
        """The next bytes of the piece, nothing at its end, which is where a heading begins."""
        while True:
            at = self._buffer.find(_HEADING)
            if at >= 0:
                return self._take(min(at, limit))
            if self._ended:
                return self._take(min(len(self._buffer), limit))
            if len(self._buffer) > _OVERLAP:
                return self._take(min(len(self._buffer) - _OVERLAP, limit))
            self._fill()

    def _at_end(self) -> bool:
        return self._ended and not self._buffer

    def _fill(self) -> None:
        more = self._stream.read(_CHUNK)
        self._ended = not more
        self._buffer += more
        self._tail = (self._tail + more)[-256:]

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _take_heading(self, database: str) -> bool:
        """Take a heading, if it is this database's."""
        wanted = self._printed(database)
        while len(self._buffer) < len(wanted) and not self._ended:
            self._fill()
        if not self._buffer.startswith(wanted):
            return False
        del self._buffer[: len(wanted)]
        return True

    def _not_of_its_form(self) -> IntegrityError:
        line = bytes(self._buffer[len(_HEADING) : len(_HEADING) + 80]).decode(errors="replace").splitlines()[0]
        return IntegrityError(
            f"the dump cannot be taken apart: it says {line} begins where another database should",
            hint="a routine, view or name that holds the line '-- Current Database:' makes it look so: alter it",
        )

    @staticmethod
    def _printed(database: str) -> bytes:
        """The heading; mariadb-dump keeps names with line ends within its comment."""
        return _HEADING + quoted(database).replace("\n", "\n-- ").encode() + _HEADING_END


class Section:
    """One piece, as a stream: first what every piece begins with, then its own text."""

    def __init__(self, sections: Sections, begins_with: bytes = b"") -> None:
        self._sections = sections
        self._first = begins_with

    def readinto(self, buffer: memoryview, /) -> int:
        """Fill the buffer; return the number of bytes, 0 at the end."""
        if self._first:
            data, self._first = self._first[: len(buffer)], self._first[len(buffer) :]
        else:
            data = self._sections.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def drain(self) -> bytes:
        """Everything that is left of the piece: only for small ones."""
        rest = b"".join(iter(lambda: self._sections.read(_CHUNK), b""))
        return self._first + rest
