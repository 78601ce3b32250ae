"""Every form in which WhatsApp writes a message's time and sender."""

import pytest

from tests.unit.vault.exports import brief, messages, read
from vault.whatsapp.survey import DateOrder

NIGHT = "2024-01-25 21:05:00"
EXACT = "2024-01-25 21:05:15"
ARABIC_DIGITS = {ord("0") + digit: 0x660 + digit for digit in range(10)}

FORMS = {
    "android 12 h": ("25/1/24, 9:05 pm - Bob: Hi", NIGHT),
    "android 24 h": ("25/01/2024, 21:05 - Bob: Hi", NIGHT),
    "android american": ("1/25/24, 9:05 PM - Bob: Hi", NIGHT),
    "ios 12 h": ("[25/01/2024, 09:05:15 PM] Bob: Hi", EXACT),
    "ios 24 h": ("[25/01/2024, 21:05:15] Bob: Hi", EXACT),
    "ios american": ("[1/25/24, 9:05:15 PM] Bob: Hi", EXACT),
    "ios narrow no-break space before PM": ("[1/25/24, 9:05:15\u202fPM] Bob: Hi", EXACT),
    "android narrow no-break space before pm": ("25/1/24, 9:05\u202fpm - Bob: Hi", NIGHT),
    "no-break space": ("25/1/24,\u00a09:05\u00a0pm - Bob: Hi", NIGHT),
    "thin space": ("25/1/24, 9:05\u2009pm - Bob: Hi", NIGHT),
    "no comma": ("25/01/2024 21:05 - Bob: Hi", NIGHT),
    "ios no comma": ("[25/01/2024 21:05:15] Bob: Hi", EXACT),
    "dots": ("25.01.24, 21:05 - Bob: Hi", NIGHT),
    "ios dots": ("[25.01.24, 21:05:15] Bob: Hi", EXACT),
    "dashes": ("25-01-2024 21:05 - Bob: Hi", NIGHT),
    "dutch": ("[25-01-2024 21:05:15] Bob: Hi", EXACT),
    "year first": ("2024-01-25 21:05 - Bob: Hi", NIGHT),
    "year first with slashes": ("2024/01/25, 21:05 - Bob: Hi", NIGHT),
    "finnish": ("25.1.2024 klo 21.05 - Bob: Hi", NIGHT),
    "finnish ios": ("[25.1.2024 klo 21.05.15] Bob: Hi", EXACT),
    "french": ("25/01/2024 à 21:05 - Bob: Hi", NIGHT),
    "french ios": ("[25/01/2024 à 21:05:15] Bob: Hi", EXACT),
    "german um": ("25.01.24 um 21:05 - Bob: Hi", NIGHT),
    "spanish": ("25/1/24 9:05 p. m. - Bob: Hi", NIGHT),
    "spanish no-break": ("25/1/24, 9:05 p.\u00a0m. - Bob: Hi", NIGHT),
    "spanish narrow": ("[25/1/24, 9:05:15\u202fp.\u202fm.] Bob: Hi", EXACT),
    "a.m. is before noon": ("25/1/24 9:05 a. m. - Bob: Hi", "2024-01-25 09:05:00"),
    "en dash": ("25/01/2024, 21:05 \u2013 Bob: Hi", NIGHT),
    "colon": ("25/01/2024, 9:05:15 PM: Bob: Hi", EXACT),
    "chinese": ("2024/1/25 下午9:05 - Bob: Hi", NIGHT),
    "chinese ios": ("[2024/1/25 下午9:05:15] Bob: Hi", EXACT),
    "chinese words": ("2024年1月25日 下午9:05 - Bob: Hi", NIGHT),
    "japanese": ("2024/01/25 午後9:05 - Bob: Hi", NIGHT),
    "korean": ("2024. 1. 25. 오후 9:05, Bob: Hi", NIGHT),
    "korean ios": ("[2024. 1. 25. 오후 9:05:15] Bob: Hi", EXACT),
    "korean words": ("2024년 1월 25일 오후 9:05 - Bob: Hi", NIGHT),
    "left-to-right mark": ("\u200e[25/01/2024, 21:05:15] Bob: Hi", EXACT),
    "right-to-left mark": ("\u200f25/01/2024, 21:05 - Bob: Hi", NIGHT),
    "marks everywhere": ("\u200e[\u200e25/01/2024, 21:05:15\u200e] \u200eBob: Hi", EXACT),
    "word joiner": ("\u206025/01/2024, 21:05 - Bob: Hi", NIGHT),
    "arabic comma": ("25/01/2024، 21:05 - Bob: Hi", NIGHT),
    "arabic digits": ("25/01/2024, 21:05 - Bob: Hi".translate(ARABIC_DIGITS), NIGHT),
    "no space after the sender": ("25/01/2024, 21:05 - Bob:Hi", NIGHT),
    "unsaved name": ("[25/01/2024, 21:05:15] ~\u202fBob: Hi", EXACT),
    "unsaved name with marks": ("[25/01/2024, 21:05:15] \u200e~\u00a0Bob\u200e: Hi", EXACT),
}


@pytest.mark.parametrize(("line", "when"), FORMS.values(), ids=FORMS.keys())
def test_form(line: str, when: str) -> None:
    assert brief(messages(f"{line}\nmore\n")) == [(when, "Bob", "Hi\nmore")]


@pytest.mark.parametrize(
    ("written", "hour"),
    [
        ("12:05 am", "00:05"),
        ("12:05 pm", "12:05"),
        ("1:05 pm", "13:05"),
        ("11:59 am", "11:59"),
        ("上午12:05", "00:05"),
        ("下午12:05", "12:05"),
        ("午後0:05", "12:05"),
        ("中午12:05", "12:05"),
        ("中午11:30", "11:30"),
        ("凌晨1:05", "01:05"),
        ("오전 12:05", "00:05"),
    ],
)
def test_noon_and_midnight(written: str, hour: str) -> None:
    assert brief(messages(f"2024/1/25, {written} - Bob: Hi"))[0][0] == f"2024-01-25 {hour}:00"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("\ufeff25/01/2024, 21:05 - Bob: Grüße".encode(), "utf-8 with a mark"),
        ("25/01/2024, 21:05 - Bob: Grüße".encode("utf-16"), "utf-16 with a mark"),
        ("\ufeff25/01/2024, 21:05 - Bob: Grüße".encode("utf-16-be"), "utf-16 big-endian with a mark"),
        ("25/01/2024, 21:05 - Bob: Grüße".encode("utf-16-le"), "utf-16 little-endian"),
        ("25/01/2024, 21:05 - Bob: Grüße".encode("utf-16-be"), "utf-16 big-endian"),
        (b"25/01/2024, 21:05 - Bob: Gr\xc3\xbc\xc3\x9fe\r\n", "CRLF"),
    ],
)
def test_encoding(data: bytes, name: str) -> None:
    assert brief(messages(data)) == [(NIGHT, "Bob", "Grüße")], name


def test_utf16_with_crlf_and_characters_beyond_the_plane() -> None:
    data = "25/01/2024, 21:05 - Bob: 😀\r\nmore\r\n25/01/2024, 21:06 - Ann: Hi\r\n".encode("utf-16")
    assert [body for _, _, body in brief(messages(data))] == ["😀\nmore", "Hi"]


def test_the_shape_of_most_lines_is_the_shape_of_messages() -> None:
    text = (
        "25/01/2024, 21:05 - Bob: the list\n"
        "[24/01/2024, 10:00:00] Ann: pasted from another phone\n"
        "10:30 meet\n"
        "25/01/2024 is the day\n"
        "25/01/2024, 21:06 - Ann: ok\n"
        "25/01/2024, 21:07 - Bob: bye\n"
    )
    found = messages(text)
    assert [m.line for m in found] == [1, 5, 6]
    assert "pasted from another phone\n10:30 meet\n25/01/2024 is the day" in found[0].body


def test_a_pasted_line_of_another_day_stays_text_and_is_reported() -> None:
    day = "".join(f"25/01/2024, 21:{minute:02} - Ann: {minute}\n" for minute in range(10))
    text = f"25/01/2024, 20:00 - Bob: as you said\n03/01/2024, 09:00 - Ann: I owe you everything\n{day}"
    found, left = read(text)
    assert found[0].body == "as you said\n03/01/2024, 09:00 - Ann: I owe you everything"
    assert [(item.line, item.raw) for item in left] == [(2, b"03/01/2024, 09:00 - Ann: I owe you everything")]
    assert len(found) == 11


def test_a_pasted_line_of_the_future_hides_nothing_after_it() -> None:
    day = "".join(f"25/01/2024, 21:{minute:02} - Ann: {minute}\n" for minute in range(10))
    text = f"25/01/2024, 20:00 - Bob: x\n03/01/2031, 09:00 - Ann: y\n04/01/2031, 09:00 - Ann: z\n{day}"
    found, left = read(text)
    assert [item.line for item in left] == [2, 3]
    assert len(found) == 11


def test_two_exports_behind_each_other_lose_no_message() -> None:
    first = "".join(f"25/{month:02}/2023, 21:05 - Ann: {month}\n" for month in range(1, 13)) * 20
    found, left = read(first + first)
    assert (len(found), left) == (480, [])


@pytest.mark.parametrize(
    "line", ["31/02/2024, 10:00 - Bob: x", "31/31/2024, 10:00 - Bob: x", "25/01/2024, 25:00 - Bob: x"]
)
def test_what_is_in_no_calendar_is_text(line: str) -> None:
    found, _ = read(f"25/01/2024, 21:05 - Bob: Hi\n{line}\n")
    assert brief(found) == [(NIGHT, "Bob", f"Hi\n{line}")]


def test_an_order_given_by_a_person_is_obeyed() -> None:
    text = "01/02/2024, 21:05 - Bob: Hi\n"
    assert brief(messages(text, order=DateOrder.DMY))[0][0] == "2024-02-01 21:05:00"
    assert brief(messages(text, order=DateOrder.MDY))[0][0] == "2024-01-02 21:05:00"
