"""Exports of chats, made for tests."""

import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2024, 1, 13, 9, 0, tzinfo=UTC)


def line(minute: int, sender: str, body: str) -> str:
    """A message of Android, `minute` minutes after the beginning."""
    return f"{BEGIN + timedelta(minutes=minute):%d/%m/%Y, %H:%M} - {sender}: {body}\n"


def chat(first: int, last: int) -> str:
    """Messages number `first` to `last` of one and the same chat: three a minute, of which two are identical."""
    return "".join(
        line(number // 3, "Ann", f"number {number // 3}" if number % 3 else "ok") for number in range(first, last)
    )


def write(path: Path, text: str | bytes) -> Path:
    """A text file."""
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def write_zip(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A zip."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path
