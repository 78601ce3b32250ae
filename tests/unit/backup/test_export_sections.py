"""Taking a dump of several databases apart."""

import io

import pytest

from backup.logical.sections import Heading, Sections
from opsctl.core.errors import IntegrityError

SETTINGS = "/*M!999999\\- enable the sandbox mode */\n-- MariaDB dump\n\n/*!40101 SET NAMES utf8mb4 */;\n"
COMPLETED = "\n-- Dump completed on 2026-05-01  2:00:00\n"


def heading(name: str) -> str:
    return f"\n--\n-- Current Database: `{name}`\n--\n"


def taken_apart(text: str, databases: list[str], step: int = 7, *, views: bool = False) -> list[tuple[Heading, str]]:
    """The pieces; the dump arrives, and is asked for, in small parts."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(step, len(text.encode())))

    found = []
    for each, section in Sections(Slow(text.encode()), databases, views=views):
        data = bytearray(5)
        whole = b""
        while count := section.readinto(memoryview(data)):
            whole += bytes(data[:count])
        found.append((each, whole.decode()))
    return found


def test_each_database_gets_its_own_text_with_the_settings_before_it() -> None:
    dump = SETTINGS + heading("a") + "A1;\n" + heading("b") + "B1;\n" + COMPLETED
    assert taken_apart(dump, ["a", "b"]) == [
        (Heading("a", views=False), SETTINGS + heading("a") + "A1;\n"),
        (Heading("b", views=False), SETTINGS + heading("b") + "B1;\n" + COMPLETED),
    ]


@pytest.mark.parametrize("step", [1, 3, 64, 5000, 1 << 20])
def test_views_come_as_pieces_of_their_own_whatever_parts_the_dump_arrives_in(step: int) -> None:
    big = "INSERT INTO t VALUES\n(1,'x');\n" * 2000
    dump = SETTINGS + heading("a") + big + heading("b") + heading("a") + "VA" + heading("b") + "VB" + COMPLETED
    found = taken_apart(dump, ["a", "b"], step, views=True)
    assert [each for each, _ in found] == [Heading(name, views) for views in (False, True) for name in ("a", "b")]
    assert found[0][1] == SETTINGS + heading("a") + big
    assert found[3][1].endswith("VB" + COMPLETED)


def test_names_with_backticks_and_line_ends_are_known_as_they_are_printed() -> None:
    name = "a`b\nc"
    dump = SETTINGS + heading("a``b\n-- c") + "x" + COMPLETED
    assert taken_apart(dump, [name])[0][0].database == name


@pytest.mark.parametrize(
    ("body", "databases"),
    [
        (heading("a") + "a routine says:" + heading("b") + "…" + heading("b") + "B", ["a", "b"]),
        (heading("a") + "a routine says:" + heading("z") + "…" + heading("b") + "B", ["a", "b"]),
        (heading("a") + "a routine says:" + heading("a") + "…" + heading("b") + "B", ["a", "b"]),
        (heading("a") + "A" + heading("b") + "a routine:" + heading("a") + "…" + heading("b") + "…", ["a", "b"]),
        (heading("b") + "B" + heading("a") + "A", ["a", "b"]),
    ],
)
def test_what_looks_like_a_heading_and_is_none_is_refused(body: str, databases: list[str]) -> None:
    with pytest.raises(IntegrityError, match="cannot be taken apart"):
        taken_apart(SETTINGS + body + COMPLETED, databases)


def test_a_dump_without_its_views_is_refused() -> None:
    dump = SETTINGS + heading("a") + "A" + COMPLETED
    with pytest.raises(IntegrityError, match="ends after 1 of the 2"):
        taken_apart(dump, ["a"], views=True)


@pytest.mark.parametrize("dump", ["", SETTINGS, SETTINGS + heading("a") + "A"])
def test_a_dump_that_ends_early_is_refused(dump: str) -> None:
    with pytest.raises(IntegrityError, match="ends after"):
        taken_apart(dump + COMPLETED, ["a", "b"])


def test_a_dump_without_its_end_mark_is_refused() -> None:
    with pytest.raises(IntegrityError, match="Dump completed"):
        taken_apart(SETTINGS + heading("a") + "INSERT INTO t", ["a"])
