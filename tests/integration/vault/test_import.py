"""Imports on a real server: each message once and in order, each file once, whatever happens on the way."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.errors import LockedError, SettingsError
from opsctl.core.mariadb.connect import rows
from opsctl.core.merkle import Tree
from tests.support.exports import chat, line, write, write_zip
from vault import audit
from vault.accounts import Role
from vault.context import Vault
from vault.importing import batch, run
from vault.importing.run import Imported, Request, import_export
from vault.whatsapp.survey import DateOrder


def request(path: Path, **more: Any) -> Request:
    return replace(Request(path, "Trip", "Asia/Kolkata", "ann@office", "10.0.0.7"), **more)


def bring(vault: Vault, path: Path, text: str | bytes, **more: Any) -> Imported:
    return import_export(vault, request(write(path / "chat.txt", text), **more))


def bodies(vault: Vault, chat_name: str = "Trip") -> list[str]:
    with vault.connect(Role.READER) as connection:
        statement = "SELECT m.body FROM messages m JOIN chats c ON c.id = m.chat_id WHERE c.name = %s"
        return [body for (body,) in rows(connection, f"{statement} ORDER BY m.sent_at, m.place", chat_name)]


def expected(first: int, last: int) -> list[str]:
    return [text.split(": ", 1)[1] for text in chat(first, last).splitlines()]


def event(vault: Vault, seq: int) -> audit.Event:
    with vault.connect(Role.READER) as connection:
        (row,) = audit.read(connection, first=seq, last=seq)
    found = audit.parse(row).event
    assert found is not None
    return found


def test_an_export_is_there_in_its_order_with_times_in_utc(vault: Vault, tmp_path: Path) -> None:
    done = bring(vault, tmp_path, chat(0, 30))
    assert (done.parsed, done.added, done.unparsed) == (30, 30, 0)
    assert bodies(vault) == expected(0, 30)
    with vault.connect(Role.READER) as connection:
        local, utc = rows(connection, "SELECT sent_local, sent_at FROM messages ORDER BY id LIMIT 1")[0]
    assert (str(local), str(utc)) == ("2024-01-13 09:00:00", "2024-01-13 03:30:00")


def test_the_audit_row_says_who_what_and_the_root_of_the_messages(vault: Vault, tmp_path: Path) -> None:
    done = bring(vault, tmp_path, "Chat history\n" + chat(0, 30))
    found = event(vault, done.audit_seq)
    assert (found.action, found.actor, found.origin, found.subject) == (
        "vault.import", "ann@office", "10.0.0.7", "Trip",
    )  # fmt: skip
    assert {key: found.details[key] for key in ("parsed", "added", "unparsed")} == {
        "parsed": 30,
        "added": 30,
        "unparsed": 1,
    }
    tree = Tree()
    with vault.connect(Role.READER) as connection:
        for (leaf,) in rows(connection, "SELECT digest FROM import_messages ORDER BY line_no"):
            tree.append(bytes(leaf))
    assert found.details["root"] == tree.root().hex() == done.root.hex()


def test_the_same_again_adds_nothing_and_is_logged(vault: Vault, tmp_path: Path) -> None:
    first = bring(vault, tmp_path, chat(0, 30))
    again = bring(vault, tmp_path, chat(0, 30))
    assert (again.parsed, again.added, again.root) == (30, 0, first.root)
    assert again.audit_seq == first.audit_seq + 1
    assert bodies(vault) == expected(0, 30)


@pytest.mark.parametrize("windows", [[(0, 31), (20, 60)], [(31, 60), (0, 45)], [(0, 10), (40, 60), (5, 44), (0, 60)]])
def test_overlapping_exports_add_only_what_is_new_in_order(
    vault: Vault, tmp_path: Path, windows: list[tuple[int, int]]
) -> None:
    for first, last in windows:
        bring(vault, tmp_path, chat(first, last))
    assert bodies(vault) == expected(0, 60)


@pytest.mark.parametrize("size", [1, 2, 7])
def test_batches_that_end_anywhere_change_nothing(
    vault: Vault, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_MESSAGES", size)
    bring(vault, tmp_path, chat(10, 25))
    bring(vault, tmp_path, chat(0, 30))
    assert bodies(vault) == expected(0, 30)


def test_times_that_go_back_lose_nothing(vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH_MESSAGES", 2)
    text = (
        line(5, "Ann", "ok")
        + line(4, "Bob", "late")
        + line(5, "Ann", "ok")
        + line(6, "Ann", "a")
        + line(5, "Ann", "ok")
    )
    assert bring(vault, tmp_path, text).added == 5
    assert bodies(vault) == ["late", "ok", "ok", "ok", "a"]
    assert bring(vault, tmp_path, text).added == 0


def test_messages_that_collations_hold_equal_are_different(vault: Vault, tmp_path: Path) -> None:
    text = line(0, "Ann", "é") + line(0, "Ann", "e") + line(0, "Ann", "E") + line(0, "ann", "e") + line(0, "Ann", "e ")
    assert bring(vault, tmp_path, text).added == 5
    assert bodies(vault) == ["é", "e", "E", "e", "e "]
    with vault.connect(Role.READER) as connection:
        assert {name for (name,) in rows(connection, "SELECT name FROM participants")} == {"Ann", "ann"}


def test_any_text_comes_out_as_it_went_in(vault: Vault, tmp_path: Path) -> None:
    body = "quotes ' \" \\ % %s \0 \x1a 😀 \u202e \u2028\nline\n\nmore"
    bring(vault, tmp_path, line(0, "O'Neil \\", body))
    assert bodies(vault) == [body]


def test_chats_do_not_meet(vault: Vault, tmp_path: Path) -> None:
    bring(vault, tmp_path, chat(0, 30))
    assert bring(vault, tmp_path, chat(0, 30), chat="Other").added == 30
    assert bodies(vault, "Other") == bodies(vault)


def test_what_is_not_parsed_is_kept_and_told_by_line(vault: Vault, tmp_path: Path) -> None:
    done = bring(vault, tmp_path, b"head\n" + line(0, "Ann", "a").encode() + b"b\xff\n")
    assert [(left.line, left.text) for left in done.first_unparsed] == [(1, "head"), (3, "b\ufffd")]
    with vault.connect(Role.READER) as connection:
        assert rows(connection, "SELECT line_no, raw FROM unparsed_lines ORDER BY 1") == ((1, b"head"), (3, b"b\xff"))
    assert bodies(vault) == ["a\nb\ufffd"]


def test_an_order_that_cannot_be_told_is_refused_and_leaves_nothing(vault: Vault, tmp_path: Path) -> None:
    text = "03/01/2024, 21:05 - Bob: a\n"
    with pytest.raises(SettingsError, match="cannot be told"):
        bring(vault, tmp_path, text)
    with vault.connect(Role.READER) as connection:
        assert rows(connection, "SELECT * FROM chats") == ()
    assert bring(vault, tmp_path, text, order=DateOrder.MDY).added == 1


def test_a_chat_has_one_zone(vault: Vault, tmp_path: Path) -> None:
    bring(vault, tmp_path, chat(0, 3))
    with pytest.raises(SettingsError, match="kept in the zone Asia/Kolkata"):
        bring(vault, tmp_path, chat(0, 3), zone="Europe/Paris")
    with pytest.raises(SettingsError, match="no time zone"):
        bring(vault, tmp_path, chat(0, 3), zone="../etc/passwd")


def files_in(vault: Vault) -> list[Path]:
    return [path for path in vault.settings.media_dir.rglob("*") if path.is_file()]


def test_media_are_kept_once_and_linked(vault: Vault, tmp_path: Path) -> None:
    text = "".join(
        (
            line(0, "Ann", "a.jpg (file attached)\nat the lake"),
            line(0, "Ann", "b.jpg (file attached)"),
            line(1, "Ann", "gone.jpg (file attached)"),
            line(2, "Ann", "../a.jpg (file attached)"),
        )
    )
    files: dict[str, str | bytes] = {
        "_chat.txt": text,
        "a.jpg": b"photo",
        "b.jpg": b"photo",
        "c.jpg": b"nobody names it",
    }
    done = import_export(vault, request(write_zip(tmp_path / "x.zip", files)))
    assert (done.media_added, done.first_missing) == (2, ("gone.jpg", "../a.jpg"))
    assert sorted(path.read_bytes() for path in files_in(vault)) == [b"nobody names it", b"photo"]
    with vault.connect(Role.READER) as connection:
        assert rows(connection, "SELECT name FROM attachments ORDER BY message_id") == (("a.jpg",), ("b.jpg",))
    again = import_export(vault, request(write_zip(tmp_path / "y.zip", files)))
    assert (again.added, again.media_added) == (0, 0)
    assert len(files_in(vault)) == 2


def test_a_file_that_a_first_export_left_out_is_linked_by_a_second(vault: Vault, tmp_path: Path) -> None:
    bring(vault, tmp_path, line(0, "Ann", "<Media omitted>") + line(0, "Ann", "nice"))
    text = line(0, "Ann", "a.jpg (file attached)") + line(0, "Ann", "nice")
    done = import_export(vault, request(write_zip(tmp_path / "x.zip", {"_chat.txt": text, "a.jpg": b"photo"})))
    assert (done.added, done.media_added) == (0, 1)
    assert bodies(vault) == ["<Media omitted>", "nice"]
    with vault.connect(Role.READER) as connection:
        assert rows(connection, "SELECT name FROM attachments") == (("a.jpg",),)


class Killed(BaseException):
    """The process was killed."""


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_import_goes_on_where_it_was(
    vault: Vault, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH_MESSAGES", 5)
    written = batch.Writer.write
    left = [after]

    def write_some(self: batch.Writer, each: batch.Batch) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return written(self, each)

    bring(vault, tmp_path, chat(12, 18))
    monkeypatch.setattr(batch.Writer, "write", write_some)
    text = "head\n" + chat(0, 30)
    with pytest.raises(Killed):
        bring(vault, tmp_path, text)
    monkeypatch.setattr(batch.Writer, "write", written)
    done = bring(vault, tmp_path, text)
    assert (done.resumed, done.parsed, done.added, done.unparsed) == (True, 30, 24, 1)
    assert bodies(vault) == expected(0, 30)
    assert event(vault, done.audit_seq).details["root"] == done.root.hex()


def test_two_at_once_into_one_chat_wait_for_each_other(vault: Vault, tmp_path: Path) -> None:
    path = write(tmp_path / "chat.txt", chat(0, 60))
    done: list[Imported] = []

    def work() -> None:
        done.append(import_export(vault, request(path), lock_wait_s=60))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.added for each in done) == [0, 0, 60]
    assert bodies(vault) == expected(0, 60)


def test_without_waiting_the_second_is_told_that_the_chat_is_locked(vault: Vault, tmp_path: Path) -> None:
    bring(vault, tmp_path, chat(0, 3))
    with vault.connect(Role.IMPORTER) as connection:
        rows(connection, "SELECT GET_LOCK(CONCAT('opsctl-import-', DATABASE(), '-', (SELECT id FROM chats)), 0)")
        with pytest.raises(LockedError, match="another import into 'Trip'"):
            bring(vault, tmp_path, chat(0, 6))


def test_the_log_is_canonical_json(vault: Vault, tmp_path: Path) -> None:
    done = bring(vault, tmp_path, chat(0, 3))
    with vault.connect(Role.READER) as connection:
        (row,) = audit.read(connection, first=done.audit_seq, last=done.audit_seq)
    assert json.dumps(json.loads(row.payload), sort_keys=True, separators=(",", ":")).encode() == row.payload
