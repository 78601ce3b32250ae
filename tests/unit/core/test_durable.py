"""Small files that are replaced: whole or not at all, by one at a time."""

import multiprocessing
import os
from pathlib import Path

import pytest

from opsctl.core.durable import locked_directory, replace_file
from opsctl.core.errors import OpsError


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.json"
    replace_file(path, b"a long first content")
    (path.parent / f".{path.name}").write_bytes(b"what a killed run left, which was longer than the next content")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == ["state.json"]


def test_what_cannot_be_written_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OpsError) as caught:
        replace_file(tmp_path / "file" / "state.json", b"")
    assert caught.value.where == str(tmp_path / "file")
    assert caught.value.hint


def _count(directory: Path, times: int) -> None:
    for _ in range(times):
        with locked_directory(directory):
            number = directory / "number"
            number.write_text(str(int(number.read_text()) + 1))


def test_a_locked_directory_keeps_others_out(tmp_path: Path) -> None:
    (tmp_path / "number").write_text("0")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_count, args=(tmp_path, 200)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join()
    assert (tmp_path / "number").read_text() == "400"
