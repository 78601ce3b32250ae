"""The traps of exports: two readings of dates, colons in system lines, files, broken bytes, the double hour."""

import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from opsctl.core.errors import OpsError, SettingsError
from tests.unit.vault.exports import brief, messages, read
from vault.whatsapp.bodies import classify, split_sender
from vault.whatsapp.message import Kind, Message, digest


def test_one_late_day_decides_the_order_of_the_whole_file() -> None:
    text = "01/02/2024, 21:05 - Bob: a\n02/02/2024, 21:05 - Bob: b\n13/02/2024, 21:05 - Bob: c\n"
    assert [when[:10] for when, _, _ in brief(messages(text))] == ["2024-02-01", "2024-02-02", "2024-02-13"]


def test_chronology_decides_when_only_one_reading_has_it() -> None:
    text = "05/01/2024, 21:05 - Bob: a\n06/01/2024, 21:05 - Bob: b\n01/02/2024, 21:05 - Bob: c\n"
    assert [when[:10] for when, _, _ in brief(messages(text))] == ["2024-01-05", "2024-01-06", "2024-02-01"]


def test_a_file_with_two_readings_is_refused_and_both_are_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        read("03/01/2024, 21:05 - Bob: a\n04/01/2024, 21:05 - Bob: b\n")
    assert "dmy: from 3 January 2024 to 4 January 2024" in caught.value.message
    assert "mdy: from 1 March 2024 to 1 April 2024" in caught.value.message
    assert "--date-order dmy or --date-order mdy" in (caught.value.hint or "")


def test_short_years_may_stand_first_and_are_not_guessed() -> None:
    assert brief(messages("24/1/5, 21:05 - Bob: a\n24/1/15, 21:05 - Bob: b\n"))[1][0] == "2024-01-15 21:05:00"
    with pytest.raises(SettingsError, match="cannot be told"):
        read("24/1/15, 21:05 - Bob: a\n24/1/16, 21:05 - Bob: b\n")


def test_a_file_that_mixes_orders_is_refused_and_the_lines_are_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        read("13/01/2024, 21:05 - Bob: a\n01/14/2024, 21:05 - Bob: b\n")
    assert "dmy only: line 1: 13/01/2024" in caught.value.message
    assert "mdy only: line 2: 01/14/2024" in caught.value.message


def test_a_file_without_messages_is_refused() -> None:
    with pytest.raises(OpsError, match="no line"):
        read("Dear diary,\n")


@pytest.mark.parametrize(
    "line",
    [
        "Messages and calls are end-to-end encrypted. No one outside of this chat can read them.",
        'Ann changed the subject from "Trip" to "Trip: Rome"',
        "Ann changed the subject from “Trip” to “Trip: Rome”",
        'Ann hat den Betreff von „Reise“ zu „Reise: Rom“ geändert',
        "Ann changed the group description",
        "Ann joined using this group's invite link: abc",
        "Ann created group “Plan: B”",
        "https://chat.example/abc",
    ],
)  # fmt: skip
def test_a_system_line_has_no_sender(line: str) -> None:
    (found,) = messages(f"25/01/2024, 21:05 - {line}\n")
    assert (found.sender, found.kind, found.body) == (None, Kind.SYSTEM, line)


def test_a_system_line_of_a_group_on_ios_is_one() -> None:
    text = "[25/01/2024, 21:05:15] Trip: \u200eMessages and calls are end-to-end encrypted.\n"
    assert [(m.sender, m.kind) for m in messages(text)] == [("Trip", Kind.SYSTEM)]


@pytest.mark.parametrize(
    ("rest", "spaced", "sender", "body"),
    [
        ("Bob: Hi: there", True, "Bob", "Hi: there"),
        ("Bob:Hi there: ok", False, "Bob", "Hi there: ok"),
        ("12:30 Club: Hi", True, "12:30 Club", "Hi"),
        ("+91 98765 43210: Hi", True, "+91 98765 43210", "Hi"),
        ("Bob:", True, "Bob", ""),
        ("Bob: ", True, "Bob", ""),
        ("Bob:\u200e<attached: a.jpg>", True, "Bob", "\u200e<attached: a.jpg>"),
        ("Bob: see https://x.example", True, "Bob", "see https://x.example"),
        ('O\'Neil "Red" Bob: Hi', True, 'O\'Neil "Red" Bob', "Hi"),
        (f"{'x' * 256}: Hi", True, None, f"{'x' * 256}: Hi"),
    ],
)
def test_senders(rest: str, spaced: bool, sender: str | None, body: str) -> None:
    assert split_sender(rest, spaced_colon=spaced) == (sender, body)


@pytest.mark.parametrize(
    ("body", "kind", "name"),
    [
        ("\u200e<attached: 00000012-PHOTO-2024-01-05.jpg>", Kind.MEDIA, "00000012-PHOTO-2024-01-05.jpg"),
        ("look \u200e<attached: a b.pdf>", Kind.MEDIA, "a b.pdf"),
        ("\u200e<adjunto: foto.jpg>", Kind.MEDIA, "foto.jpg"),
        ("\u200e<Anhang: foto.jpg>", Kind.MEDIA, "foto.jpg"),
        ("<pièce jointe : foto.jpg>", Kind.MEDIA, "foto.jpg"),
        ("\u200e<添付ファイル\uff1afoto.jpg>", Kind.MEDIA, "foto.jpg"),
        ("IMG-20240105-WA0001.jpg (file attached)", Kind.MEDIA, "IMG-20240105-WA0001.jpg"),
        ("\u200eIMG-20240105-WA0001.jpg (file attached)\nat the lake", Kind.MEDIA, "IMG-20240105-WA0001.jpg"),
        ("IMG.jpg (archivo adjunto)", Kind.MEDIA, "IMG.jpg"),
        ("IMG.jpg (Datei angehängt)", Kind.MEDIA, "IMG.jpg"),
        ("IMG.jpg (fichier joint)", Kind.MEDIA, "IMG.jpg"),
        ("../../etc/passwd.txt (file attached)", Kind.MEDIA, "../../etc/passwd.txt"),
        ("see a.txt (the old one)", Kind.TEXT, None),
        ("if (a < b: c.d > e)", Kind.TEXT, None),
        ("<Media omitted>", Kind.OMITTED, None),
        ("<Multimedia omitido>", Kind.OMITTED, None),
        ("<Medien ausgeschlossen>", Kind.OMITTED, None),
        ("<Médias omis>", Kind.OMITTED, None),
        ("<メディアなし>", Kind.OMITTED, None),
        ("\u200eimage omitted", Kind.OMITTED, None),
        ("image omitted", Kind.OMITTED, None),
        ("\u200eimagen omitida", Kind.OMITTED, None),
        ("\u200eBild weggelassen", Kind.OMITTED, None),
        ("report.pdf • 3 pages \u200edocument omitted", Kind.OMITTED, None),
        ("I omitted it", Kind.TEXT, None),
        ("This message was deleted", Kind.DELETED, None),
        ("\u200eThis message was deleted.", Kind.DELETED, None),
        ("You deleted this message", Kind.DELETED, None),
        ("Diese Nachricht wurde gelöscht.", Kind.DELETED, None),
        ("This message was deleted by mistake", Kind.TEXT, None),
        ("Hi <This message was edited>", Kind.EDITED, None),
        ("Hi \u200e<This message was edited>", Kind.EDITED, None),
        ("Hi <Diese Nachricht wurde bearbeitet.>", Kind.EDITED, None),
        ("", Kind.TEXT, None),
    ],
)  # fmt: skip
def test_bodies(body: str, kind: Kind, name: str | None) -> None:
    assert classify(body) == (kind, name)


def test_what_stands_before_the_first_message_is_left_over_verbatim() -> None:
    found, left = read("Chat history\n\n25/01/2024, 21:05 - Bob: Hi\n")
    assert [(item.line, item.raw) for item in left] == [(1, b"Chat history"), (2, b"")]
    assert len(found) == 1


def test_bytes_that_are_no_text_are_kept_verbatim_beside_the_message() -> None:
    found, left = read(b"25/01/2024, 21:05 - Bob: a\xffb\n")
    assert [message.body for message in found] == ["a\ufffdb"]
    assert [(item.line, item.raw) for item in left] == [(1, b"25/01/2024, 21:05 - Bob: a\xffb")]


def test_empty_lines_in_a_message_are_part_of_it() -> None:
    found = messages("25/01/2024, 21:05 - Bob: a\n\nb\n\n25/01/2024, 21:05 - Bob: c\n")
    assert [message.body for message in found] == ["a\n\nb\n", "c"]


def test_identical_messages_in_one_minute_are_all_there() -> None:
    assert len(messages("25/01/2024, 21:05 - Bob: ok\n" * 3)) == 3


def test_a_carriage_return_within_a_line_is_text() -> None:
    assert messages("25/01/2024, 21:05 - Bob: a\rb\u2028c\r\n")[0].body == "a\rb\u2028c"


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(OpsError, match="1 MiB"):
        read(b"25/01/2024, 21:05 - Bob: " + b"x" * (3 << 20))


def test_an_endless_message_is_refused() -> None:
    with pytest.raises(OpsError, match="4 MiB"):
        read("25/01/2024, 21:05 - Bob: x\n" + ("y" * 999 + "\n") * 5000)


def test_the_second_pass_of_the_double_hour_is_the_later_one() -> None:
    text = "27/10/2024, 02:30 - A: 1\n27/10/2024, 02:50 - A: 2\n27/10/2024, 02:10 - A: 3\n27/10/2024, 03:05 - A: 4\n"
    found = messages(text, zone=ZoneInfo("Europe/Berlin"))
    assert [m.sent.astimezone(ZoneInfo("UTC")).strftime("%H:%M") for m in found] == ["00:30", "00:50", "01:10", "02:05"]


def test_a_digest_tells_all_fields_apart() -> None:
    texts = [
        "25/01/2024, 21:05 - A: b\n",
        "25/01/2024, 21:05 - Ab: \n",
        "25/01/2024, 21:05 - A: B\n",
        "25/01/2024, 21:05 - A: e\n",
        "25/01/2024, 21:05 - A: é\n",
        "25/01/2024, 21:05 - A: e\u0301\n",
        "25/01/2024, 21:05 - A\n",
        "25/01/2024, 21:06 - A: b\n",
    ]
    found = [digest("chat", messages(text)[0]) for text in texts]
    assert len(set(found)) == len(texts)
    assert digest("other", messages(texts[0])[0]) not in found


def test_a_digest_is_that_of_the_vectors_in_any_zone() -> None:
    vectors = json.loads((Path(__file__).parents[2] / "vectors" / "message.json").read_text())
    for vector in vectors["messages"]:
        for zone in ("UTC", "Asia/Kolkata"):
            sent = datetime.fromisoformat(vector["wall"]).replace(tzinfo=ZoneInfo(zone))
            message = Message(1, sent, vector["sender"], Kind(vector["kind"]), vector["body"], vector["attachment"])
            assert digest(vector["chat"], message).hex() == vector["digest"]
