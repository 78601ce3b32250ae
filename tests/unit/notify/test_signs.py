"""Signs of life: the Prometheus textfile and the JSON line."""

import os
from pathlib import Path

import pytest
from pydantic import BaseModel

from opsctl.core.errors import OpsError
from opsctl.core.notify.signs import Gauge, write_line, write_textfile


class Line(BaseModel):
    well: bool
    words: str


def test_a_textfile_is_in_the_exposition_format(tmp_path: Path) -> None:
    odd = 'a "b" \\ c\nd'
    gauges = [
        Gauge("opsctl_up", "Whether\nit is up.", [({}, 1.0)]),
        Gauge("opsctl_check_ok", "One check.", [({"check": odd, "stack": "x"}, 0.0), ({"check": "y"}, 1763650000.25)]),
    ]
    write_textfile(tmp_path, "opsctl_health", gauges)
    assert (tmp_path / "opsctl_health.prom").read_text() == (
        "# HELP opsctl_up Whether\\nit is up.\n# TYPE opsctl_up gauge\nopsctl_up 1\n"
        "# HELP opsctl_check_ok One check.\n# TYPE opsctl_check_ok gauge\n"
        'opsctl_check_ok{check="a \\"b\\" \\\\ c\\nd",stack="x"} 0\n'
        'opsctl_check_ok{check="y"} 1763650000.25\n'
    )


def test_everybody_may_read_them_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_textfile(tmp_path, "a", [])
        write_line(tmp_path / "b.json", Line(well=True, words=""))
    finally:
        os.umask(before)
    assert [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("a.prom", "b.json")] == ["0o644", "0o644"]


def test_a_reader_never_sees_a_part_and_the_collector_never_a_second_file(tmp_path: Path) -> None:
    write_textfile(tmp_path, "a", [Gauge("old", "Old.", [({}, 1.0)])])
    with (tmp_path / "a.prom").open() as reading:
        write_textfile(tmp_path, "a", [Gauge("new", "New.", [({}, 1.0)])])
        assert "old 1" in reading.read()
    assert "new 1" in (tmp_path / "a.prom").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["a.prom"]


def test_the_line_is_one_line(tmp_path: Path) -> None:
    write_line(tmp_path / "health.json", Line(well=False, words="one\ntwo"))
    text = (tmp_path / "health.json").read_text()
    assert text.count("\n") == 1
    assert Line.model_validate_json(text) == Line(well=False, words="one\ntwo")


def test_a_place_that_is_no_directory_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OpsError, match=r"file cannot be written") as caught:
        write_textfile(tmp_path / "file", "a", [])
    assert caught.value.where == str(tmp_path)
