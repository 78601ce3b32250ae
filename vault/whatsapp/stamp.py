"""The time at the beginning of a message, in all its forms.

`5/1/24, 9:05 pm - `, `[05/01/2024, 21:05:15] `, `2024-01-05 21:05 - `, `5.1.2024 klo 21.25.15 - `,
`05/01/2024 à 17:25 - `, `5/1/24 9:05 p. m. - `, `2024/1/5 下午9:05 - `, `2024. 1. 5. 오후 9:05, `, with en dash
or colon, with invisible marks.
"""

import re
from functools import lru_cache
from typing import NamedTuple

INVISIBLE = "\u200e\u200f\u2060\ufeff\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SPACES = " \u00a0\u2007\u2009\u202f"

_BEFORE_NOON = (
    "am",
    "上午",
    "午前",
    "오전",
    "凌晨",
    "早上",
    "清晨",
    "πμ",
    "ص",
    "पूर्वाह्न",
    "dop",
    "ДП".lower(),
    "ke",
    "öö",
)
_AFTER_NOON = ("pm", "下午", "午後", "오후", "晚上", "中午", "μμ", "م", "अपराह्न", "odp", "ПП".lower(), "μμ", "ös")
_WORDS = sorted({word for word in (*_BEFORE_NOON, *_AFTER_NOON) if word not in ("am", "pm")}, key=len, reverse=True)
_INV, _SP = f"[{INVISIBLE}]*", f"[{SPACES}]"
_MERIDIEM = rf"[AaPp]\.?{_SP}?[Mm]\.?|[πμ]\.?μ\.?|" + "|".join(map(re.escape, _WORDS))

_HEADER = re.compile(
    rf"""{_INV}(?P<open>\[)?{_INV}
    (?P<a>\d{{1,4}})(?P<s1>[./\-年년]){_SP}?(?P<b>\d{{1,2}})(?P<s2>[./\-月월]){_SP}?(?P<c>\d{{1,4}})[.日일]?
    (?P<comma>[,،、]?){_SP}*
    (?:(?P<word>(?!(?:{_MERIDIEM}){_SP}*\d)[^\W\d_]{{1,8}}\.?){_SP}+)?
    (?:(?P<pre>{_MERIDIEM}){_SP}*)?
    (?P<h>\d{{1,2}})(?P<colon>[:.])(?P<m>\d{{2}})(?:[:.](?P<s>\d{{2}}))?
    (?:{_SP}*(?P<post>{_MERIDIEM}))?{_INV}
    (?(open)\]{_SP}*|(?:{_SP}*(?P<end>[-\u2013\u2014]){_SP}+|(?P<end2>[:,]){_SP}+|{_SP}+(?P<end3>[-\u2013\u2014])$))""",
    re.VERBOSE,
)
# Most exports of most languages; only there for its speed.
_COMMON = re.compile(
    r"(\[)?(\d{1,4})([./-])(\d{1,2})\3(\d{1,4})(,?) (\d{1,2}):(\d\d)(?::(\d\d))?"
    r"(?:[ \u202f]([ap]m|[AP]M))?(?(1)\][ ]*|[ ]+(-)[ ]+)"
)
_DROPPED = str.maketrans("", "", SPACES + ".")


class Shape(NamedTuple):
    """How the times of one export are written: the same for all of its messages."""

    bracket: bool
    separator: str
    comma: bool
    word: str
    seconds: bool
    meridiem: str
    end: str
    year: str


class Stamp(NamedTuple):
    """A line's time as written: three numbers of a date in an order yet unknown, and the time of day in seconds.

    `rest` is what follows it.
    """

    shape: Shape
    date: tuple[int, int, int]
    second: int
    rest: str


_shape = lru_cache(maxsize=256)(Shape)


def read_stamp(text: str) -> Stamp | None:
    """Read the time at the beginning of a line; None when there is none, or when no clock shows it."""
    if match := _COMMON.match(text):
        bracket, a, separator, b, c, comma, h, m, s, meridiem, _ = match.groups()
        second = _second(int(h), int(m), int(s or 0), meridiem or "")
        if second is None:
            return None
        where, end = "after" if meridiem else "none", "]" if bracket else "-"
        shape = (bracket is not None, separator, bool(comma), "", s is not None, where, end, _year(a, c))
        return Stamp(_shape(*shape), (int(a), int(b), int(c)), second, text[match.end() :])
    return _read_uncommon(text)


def _read_uncommon(text: str) -> Stamp | None:
    match = _HEADER.match(text)
    if match is None or (match["s1"] in "./-" and match["s1"] != match["s2"]):
        return None
    second = _second(int(match["h"]), int(match["m"]), int(match["s"] or 0), match["pre"] or match["post"] or "")
    if second is None:
        return None
    where = "before" if match["pre"] else "after" if match["post"] else "none"
    end = match["end"] or match["end2"] or match["end3"] or "]"
    shape = _shape(
        *(match["open"] is not None, match["s1"], bool(match["comma"]), match["word"] or ""),
        *(match["s"] is not None, where, end, _year(match["a"], match["c"])),
    )
    return Stamp(shape, (int(match["a"]), int(match["b"]), int(match["c"])), second, text[match.end() :])


def _year(first: str, last: str) -> str:
    """Where the year stands, as far as its digits tell."""
    return "first" if len(first) == 4 else "last" if len(last) == 4 else "short"


def _second(hour: int, minute: int, second: int, meridiem: str) -> int | None:
    """Seconds since midnight; None for a time that no clock shows."""
    if meridiem:
        word = meridiem.translate(_DROPPED).lower()
        late = word in _AFTER_NOON
        # 中午 is said of eleven as well; Japanese counts 午後0時.
        if hour <= 12 and not (word == "中午" and hour == 11):
            hour = hour % 12 + (12 if late else 0)
        elif hour > 12 and not late:
            return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    return hour * 3600 + minute * 60 + second
