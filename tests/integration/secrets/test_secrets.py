"""No secret slips out: not into what a command says, nor what it writes, nor the processes it starts."""

import base64
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import BaseModel

from opsctl.cli.main import Root, app
from opsctl.core.settings_mistakes import section_models
from opsctl.settings import Settings
from tests.integration.secrets.commands import USES
from tests.integration.secrets.secret_host import fresh
from tests.integration.secrets.sentinels import Sentinels
from tests.integration.secrets.story import Story
from tests.integration.secrets.watch import tree

# Encrypted itself; and Debian's own, which only chooses the file with the settings.
HOLD_NONE = ("/etc/mysql/encryption/keyfile.enc", "/usr/share/wordpress/wp-config.php")

pytestmark = pytest.mark.timeout(900)


def commands() -> Iterator[str]:
    root = typer.main.get_command(app)
    context = typer.Context(root)
    for name in Root.summaries:
        yield from _below(name, root.get_command(context, name))  # type: ignore[attr-defined]


def _below(path: str, command: Any) -> Iterator[str]:
    if not hasattr(command, "commands"):
        yield path
    else:
        for name, child in command.commands.items():
            yield from _below(f"{path} {name}", child)


def test_every_command_is_tried_here() -> None:
    assert sorted(USES) == sorted(commands())


@pytest.mark.parametrize("path", USES)
def test_a_command_says_no_secret_whether_it_succeeds_or_fails(story: Story, path: str) -> None:
    runs = story.of(path)
    expected = {run.expected for run in runs}
    assert USES[path].code in expected
    assert any(expected)
    for run in runs:
        watched = run.watched
        assert story.host.sentinels.found_in(watched.out + watched.err) == [], watched.words
        assert watched.code == run.expected, watched


@pytest.mark.parametrize("path", USES)
def test_a_command_gives_no_child_a_secret_in_its_words_or_environment(story: Story, path: str) -> None:
    for run in story.of(path):
        for seen in (run.watched.started, *run.watched.processes):
            assert story.host.sentinels.found_in(seen) == [], (run.watched.words, seen)


def test_children_were_watched_at_all(story: Story) -> None:
    (drill,) = (run.watched for run in story.of("drill run") if run.expected == 0)
    assert b"mariadb-backup" in drill.started
    assert any(b"mariadbd\0" in seen and b"bwrap" not in seen for seen in drill.processes)
    assert any(seen.startswith(b"php\0") for seen in drill.processes)


def test_nothing_that_was_written_down_holds_a_secret(story: Story) -> None:
    files = list(story.host.plain_files())
    names = {path.name for path in files}
    assert names >= {"ledger.sqlite", "manifest.json", "README.txt", "START.txt", "error.log", "queries.log"}
    for path in files:
        assert story.host.sentinels.found_in(path.read_bytes()) == [], path


def test_every_file_of_the_keys_archive_has_a_secret_that_was_searched_for(story: Story) -> None:
    shown = next(
        run.watched.out for run in story.of("backup show") if run.expected == 0 and run.watched.out[:1] == b"{"
    )
    paths = json.loads(shown)["manifest"]["keys"]
    assert len(paths) > 8
    for path in paths:
        assert path in HOLD_NONE or story.host.holds_a_secret(path), path


def secret_settings(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        if re.search(r"(password|identity|secret|key|credentials)_files?$|^signing_key$", name):
            yield name
        for section in section_models(field):
            yield from secret_settings(section)


def test_every_setting_that_names_a_file_with_a_secret_was_set(story: Story) -> None:
    texts = [tomllib.loads(file.read_text()) for file in story.host.directory.glob("*.toml")]
    names = set(secret_settings(Settings))
    assert names > {"signing_key", "credentials_file", "key_file", "backup_password_file", "identity_files"}
    assert names - set().union(*map(keys_of, texts)) == set()


def keys_of(table: Any) -> set[str]:
    if isinstance(table, list):
        return set().union(*map(keys_of, table))
    return set(table).union(*map(keys_of, table.values())) if isinstance(table, dict) else set()


def test_a_secret_is_found_in_every_form() -> None:
    sentinels, secret = Sentinels(), f"{fresh()}+/?&\"'"
    sentinels.add("it", secret)
    data = secret.encode()
    wrapped = [base64.b64encode(b"x" * offset + data + b"yyy") for offset in range(6)]
    wrapped += [base64.b64encode(b"x" * offset + data) for offset in range(6)]
    for form in (data, data.hex().encode(), *wrapped, *(base64.urlsafe_b64encode(b"\xff" + data) for _ in "1")):
        assert sentinels.found_in(b"before " + form + b" after") == ["it"], form
    assert sentinels.found_in(fresh().encode()) == []


def test_processes_of_processes_are_found(tmp_path: Path) -> None:
    script = "import subprocess,sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as child:
        while len(list(tree(child.pid))) < 2:
            assert child.poll() is None
        child.communicate(b"\n")
