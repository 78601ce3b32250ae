"""Which messages an archive has already, and where new ones belong."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from vault.importing.align import Incoming, Known, align


def archive(existing: list[Known], export: str) -> list[Known]:
    """Import a text, one letter a message of the same time: M stands for a file, O for one left out."""
    kinds = {"M": "media", "O": "omitted"}
    incoming = [
        Incoming(line, letter.encode(), "Ann", kinds.get(letter, "text")) for line, letter in enumerate(export, 1)
    ]
    ids = count(max((known.id for known in existing), default=0) + 1)
    by_line = {each.line: each for each in incoming}
    new = [
        Known(next(ids), by_line[p.line].digest, p.occurrence, p.place, "Ann", by_line[p.line].kind, False)
        for p in align(existing, incoming)
        if p.known is None
    ]
    return sorted([*existing, *new], key=lambda known: known.place)


def text(known: list[Known]) -> str:
    return "".join(each.digest.decode() for each in known)


def imported(*exports: str) -> str:
    found: list[Known] = []
    for export in exports:
        found = archive(found, export)
    return text(found)


def test_the_same_again_adds_nothing() -> None:
    assert imported("abab", "abab") == "abab"


def test_identical_messages_are_all_there() -> None:
    assert imported("aa") == "aa"
    assert imported("aa", "aaa") == "aaa"
    assert imported("aaa", "aa") == "aaa"


def test_an_export_that_begins_later_adds_nothing() -> None:
    assert imported("abc", "bc") == "abc"


def test_what_came_before_is_put_before() -> None:
    assert imported("bc", "abc") == "abc"


def test_what_lies_between_is_put_between() -> None:
    assert imported("ad", "abcd") == "abcd"


def test_what_was_deleted_in_a_later_export_stays() -> None:
    assert imported("abc", "ac") == "abc"
    assert sorted(imported("abc", "acd")) == list("abcd")


def test_a_file_that_one_export_left_out_is_the_same_message() -> None:
    assert imported("aOb", "aMb") == "aOb"
    assert imported("aMb", "aOb") == "aMb"
    assert imported("aM", "aOO") == "aMO"


LETTERS = st.text("abM", max_size=12)


@given(whole=LETTERS, cuts=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=5))
def test_any_windows_of_one_chat_and_then_all_of_it_have_all_messages(whole: str, cuts: list[tuple[int, int]]) -> None:
    windows = [whole[min(cut) : max(cut)] for cut in cuts]
    assert sorted(imported(*windows, whole)) == sorted(whole)
    assert imported(whole, *windows) == whole


@given(whole=LETTERS.map(lambda text: "".join(dict.fromkeys(text))), cut=st.integers(0, 12))
def test_distinct_messages_keep_their_order(whole: str, cut: int) -> None:
    assert imported(whole[cut:], whole) == whole
    assert imported(whole[:cut], whole) == whole


@given(exports=st.lists(LETTERS, max_size=5))
def test_places_and_occurrences_are_unique(exports: list[str]) -> None:
    found: list[Known] = []
    for export in exports:
        found = archive(found, export)
    assert len({known.place for known in found}) == len(found)
    assert len({(known.digest, known.occurrence) for known in found}) == len(found)
