"""Whatever is written as an export is read back: any text, any names, any form, in any encoding."""

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vault.exports import UTC, brief, read
from vault.whatsapp.bodies import split_sender
from vault.whatsapp.stamp import read_stamp
from vault.whatsapp.survey import DateOrder

STYLES: dict[str, tuple[Callable[[datetime], str], DateOrder, bool]] = {
    "android": (lambda t: f"{t.day}/{t.month}/{t:%Y, %H:%M} - ", DateOrder.DMY, False),
    "android american": (lambda t: f"{t.month}/{t.day}/{t:%y, %-I:%M}\u202f{t:%p} - ", DateOrder.MDY, False),
    "ios": (lambda t: f"[{t:%d/%m/%Y, %I:%M:%S %p}] ", DateOrder.DMY, True),
    "ios dots": (lambda t: f"\u200e[{t:%d.%m.%y, %H:%M:%S}] ", DateOrder.DMY, True),
    "iso": (lambda t: f"{t:%Y-%m-%d %H:%M} - ", DateOrder.YMD, False),
    "finnish": (lambda t: f"{t.day}.{t.month}.{t.year} klo {t:%H.%M.%S} - ", DateOrder.DMY, True),
    "chinese": (lambda t: f"{t:%Y/%m/%d} {'下午' if t.hour > 11 else '上午'}{t:%-I:%M} - ", DateOrder.YMD, False),
}  # fmt: skip

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=60)
NAMES = st.text(st.characters(categories=["L", "N"], exclude_characters="~"), min_size=1, max_size=30).map(
    lambda name: f"N{name}"
)


def is_text(body: str) -> bool:
    first, *more = body.split("\n")
    return not first.startswith("//") and all(read_stamp(line) is None for line in more)


CHATS = st.lists(
    st.tuples(st.integers(0, 40 * 86400), NAMES, TEXT.filter(is_text)), min_size=1, max_size=20
).map(sorted)  # fmt: skip


@given(chat=CHATS, style=st.sampled_from(sorted(STYLES)), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_an_export_is_read_back(chat: list[tuple[int, str, str]], style: str, encoding: str) -> None:
    write, order, exact = STYLES[style]
    begin = datetime(2023, 11, 20, tzinfo=UTC)
    expected, text = [], ""
    for seconds, sender, body in chat:
        moment = begin + timedelta(seconds=seconds)
        text += f"{write(moment)}{sender}: {body}\n"
        expected.append((f"{moment if exact else moment.replace(second=0):%Y-%m-%d %H:%M:%S}", sender, body))
    found, _ = read(text.encode(encoding), order=order)
    assert brief(found) == expected


@given(rest=TEXT)
def test_splitting_loses_nothing_but_the_separator(rest: str) -> None:
    for spaced in (True, False):
        sender, body = split_sender(rest, spaced_colon=spaced)
        assert body in rest
        assert sender is None or sender in rest


@given(data=st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    head = b"25/01/2024, 21:05 - Bob: Hi\n"
    found, _ = read(head + data)
    assert found[0].sender == "Bob"
