"""What is understood of PHP configuration without running it is what PHP itself comes to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.process import command, run
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.php import Unknown, read_config
from opsctl.stack.php.parser import parse
from tests.unit.stack.php_samples import SAMPLES, Sample

ASK = b"""<?php
register_shutdown_function(function () {
    $constants = get_defined_constants(true)['user'] ?? [];
    fwrite(STDERR, "\\nanswer:" . json_encode(['constants' => (object) $constants, 'p' => $GLOBALS['p'] ?? null]));
});
"""


def ask_php(directory: Path) -> Any:
    (directory / "ask.php").write_bytes(ASK)
    cmd = command("php", "-d", f"auto_prepend_file={directory}/ask.php", "-d", "display_errors=0", "config.php")
    done = run(replace(cmd, cwd=directory), timeout_s=60, check=False)
    return json.loads(done.stderr.rpartition("answer:")[2])


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_php_comes_to_the_same(sample: Sample, tmp_path: Path) -> None:
    for name, text in {"config.php": sample.php, **sample.beside}.items():
        (tmp_path / name).write_text(text)
    answer = ask_php(tmp_path)
    config = read_config(HostFiles(Path("/")), tmp_path / "config.php")
    known = {name: each.value for name, each in config.constants.items() if not isinstance(each.value, Unknown)}
    assert known == {name: answer["constants"].get(name, "not defined") for name in known}
    assert known.keys() >= sample.constants.keys()
    unclear = {*config.constants, *sample.not_claimed}
    assert answer["constants"].keys() <= unclear
    for name, value in sample.variables.items():
        assert (name, answer[name]) == ("p", value)


def test_debians_wp_config_is_understood_but_for_the_file_it_chooses() -> None:
    code = Path("/usr/share/wordpress")
    config = read_config(HostFiles(Path("/")), code / "wp-config.php", constants={"ABSPATH": f"{code}/"})
    assert [place.what for place in config.opaque] == ["requires a file whose name is not understood"] * 2
    assert config.text("DB_PASSWORD") is None


def test_every_php_file_of_wordpress_can_be_taken_apart() -> None:
    """WordPress' own code holds nearly all that PHP allows; reading it must never fail with a defect."""
    files = sorted(Path("/usr/share/wordpress").rglob("*.php"))
    assert len(files) > 500
    for file in files:
        parse(file.read_text(errors="surrogateescape"))
