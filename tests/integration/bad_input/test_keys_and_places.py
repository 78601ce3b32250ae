"""Identities that are wrong or not there, repositories that take nothing, settings that are not understood."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest

from opsctl.core.errors import ExitCode
from opsctl.overview import wire
from tests.integration.bad_input.refusals import is_refusal, refuses
from tests.integration.kills.machine import Ended, Machine

NONE: list[Path] = []


def new_identity(directory: Path) -> list[Path]:
    """An identity that opens nothing here."""
    file = directory / "new-identity.txt"
    file.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    file.chmod(0o600)
    return [file]


def no_identity(directory: Path) -> list[Path]:
    """A file that holds something else."""
    file = directory / "no-identity.txt"
    file.write_text("ssh-ed25519 AAAA\n")
    file.chmod(0o600)
    return [file]


def gone(directory: Path) -> list[Path]:
    """A file that is not there."""
    return [directory / "gone.txt"]


@pytest.mark.parametrize("kind", ["identity_files", "keys_identity_files"])
@pytest.mark.parametrize("wrong", [new_identity, no_identity, gone])
def test_a_restore_names_the_identity_that_does_not_open_the_archives(machine: Machine, kind: str, wrong: Any) -> None:
    files = wrong(machine.directory)
    machine.change(drill={kind: files})
    target = machine.directory / "restored"
    refuses(machine, f"restore --to {target}", ExitCode.AUTH, str(files[0]))
    assert not target.exists()


@pytest.mark.parametrize("kind", ["identity_files", "keys_identity_files"])
def test_without_an_identity_a_restore_names_the_setting(machine: Machine, kind: str) -> None:
    machine.change(drill={kind: NONE})
    refuses(machine, f"restore --to {machine.directory}/restored", ExitCode.AUTH, f"drill.{kind}")


@pytest.mark.parametrize("wrong", [new_identity, no_identity, gone, lambda directory: NONE])
def test_a_drill_without_the_right_identity_fails_and_says_which(machine: Machine, wrong: Any) -> None:
    machine.change(drill={"identity_files": wrong(machine.directory)})
    ended = machine.opsctl("drill", "run")
    assert ended.code in (ExitCode.FINDINGS, ExitCode.PARTIAL), ended
    assert "identit" in ended.out
    assert "Try:" in ended.out
    assert "passed" not in ended.out.partition("decrypt")[2].split("\n")[0]


def repository_at(machine: Machine, path: Path) -> None:
    """Another place for the repository, in the settings."""
    text = machine.config.read_text()
    machine.config.write_text(text.replace(f'path = "{machine.repository}"', f'path = "{path}"'))
    assert machine.config.read_text() != text


@pytest.mark.parametrize("words", ["backup run", "binlog ship"])
def test_a_repository_below_a_file_is_named(machine: Machine, words: str) -> None:
    place = machine.directory / "file"
    place.write_text("")
    repository_at(machine, place / "repository")
    refuses(machine, words, ExitCode.FAILED, str(place))


def in_namespace(machine: Machine, mount: str, *words: str) -> Ended:
    """Run a command where something else is mounted on the repository."""
    script = f'{mount} && exec "$0" -m opsctl "$@"'
    argv = ("unshare", "--mount", "sh", "-c", script, sys.executable, *words, "--config", str(machine.config))
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("words", ["backup run", "binlog ship"])
def test_a_repository_that_cannot_be_written_is_named(machine: Machine, words: str) -> None:
    place = machine.repository
    mount = f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"
    ended = in_namespace(machine, mount, *words.split())
    is_refusal(ended, ExitCode.FAILED, "Read-only file system", str(place))


def test_a_full_repository_makes_no_backup_and_says_so(machine: Machine, directory: Path) -> None:
    small = directory / "small"
    small.mkdir()
    repository_at(machine, small)
    machine.change(machine={"state_dir": directory / "other-state"})
    ended = in_namespace(machine, f"mount -t tmpfs -o size=300k none {small}", "backup", "run")
    is_refusal(ended, ExitCode.FAILED, "No space left on device", str(small))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[databse]\nsocket = "/x"\n', ("no section [databse]", "did you mean [database]?")),
        ("[backup]\nstall = 3\n", ("[backup] has no key 'stall'", "did you mean 'stall_s'?", "[backup] lacks")),
        ("[binlog]\nfresh_min = 'soon'\n", ("[binlog] fresh_min", "number")),
        ("[objectives]\nrpo_min = -1\n", ("[objectives] rpo_min", "greater than 0")),
        ("[binlog\n", ("no valid TOML", "line")),
        ("[machine]\nplace = 'hsot'\n", ("[machine] place", "'host'")),
    ],
)
def test_a_mistake_in_the_settings_is_named_with_what_is_right(
    machine: Machine, wrong: str, said: tuple[str, ...]
) -> None:
    tables = machine.config.read_text().split("\n\n")
    section = wrong.splitlines()[0]
    kept = [table for table in tables if section not in table.splitlines()]
    machine.config.write_text("\n\n".join(kept) + f"\n\n{wrong}")
    for words in ("config validate", "backup run", "status"):
        refuses(machine, words, ExitCode.USAGE, str(machine.config), *said)


@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("{socket}", "run/mysqld.sock", "backup run"),
        ("{dir}/repository", "repository", "backup list"),
        ("{dir}/identities/data.txt", "data.txt", "drill run"),
    ],
)
def test_a_path_that_depends_on_where_one_stands_is_refused(
    machine: Machine, right: str, wrong: str, words: str
) -> None:
    text = machine.config.read_text()
    path = right.format(socket=machine.server.socket, dir=machine.directory)
    machine.config.write_text(text.replace(f'"{path}"', f'"{wrong}"'))
    refuses(machine, words, ExitCode.USAGE, "a path has to begin with /")


def test_settings_in_another_encoding_are_refused(machine: Machine) -> None:
    machine.config.write_bytes(machine.config.read_bytes() + b"# gr\xfc\xdfe\n")
    refuses(machine, "backup run", ExitCode.USAGE, "no UTF-8 text", str(machine.config))


@pytest.mark.parametrize("key", ["lock_dir", "state_dir"])
def test_a_place_that_cannot_be_made_is_named(machine: Machine, key: str) -> None:
    machine.change(machine={key: "/proc/nowhere"})
    refuses(machine, "backup run", ExitCode.FAILED, "/proc")


def test_a_scratch_directory_that_is_not_there_is_named(machine: Machine) -> None:
    machine.change(drill={"scratch_dir": machine.directory / "gone"})
    refuses(machine, "drill run", ExitCode.FAILED, "no such directory", f"mkdir -p {machine.directory}/gone")


def test_a_recipient_that_age_refuses_is_named_and_not_the_program_before_it(machine: Machine) -> None:
    machine.change(backup={"recipients": [f"age1{'x' * 58}"]})
    refuses(machine, "backup run", ExitCode.FAILED, "age exited", "malformed recipient", "opsctl doctor")


def locked(key: Path) -> None:
    """Give it a passphrase, which nobody is there to type."""
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "passphrase", "-f", key], check=True)


def mangled(key: Path) -> None:
    """Leave a key's first line and last, and nothing right between them."""
    lines = key.read_text().splitlines()
    key.write_text("\n".join([lines[0], lines[2][::-1], lines[-1], ""]))


@pytest.mark.parametrize("harm", [Path.unlink, mangled, locked], ids=["gone", "mangled", "locked"])
@pytest.mark.parametrize(
    "words", ["backup run", "backup run --kind logical", "binlog ship", "drill run", "drill run --export latest"]
)
def test_a_signing_key_that_cannot_sign_is_told_before_the_work_begins(
    machine: Machine, harm: Callable[[Path], None], words: str
) -> None:
    harm(machine.settings.trust.signing_key)
    machine.change(
        database={"socket": machine.directory / "nobody.sock"}, drill={"scratch_dir": machine.directory / "gone"}
    )
    refuses(machine, words, ExitCode.AUTH, "signing key", str(machine.settings.trust.signing_key), "opsctl init")


@pytest.mark.parametrize("name", ["nothing", "20200101T000000Z-full-00000000", "../../etc", "Größe"])
@pytest.mark.parametrize(
    "words", ["backup show", "backup verify", "drill run --backup", "restore --to /tmp/not-made --backup"]
)
def test_a_backup_that_there_is_not_is_a_matter_of_words(machine: Machine, words: str, name: str) -> None:
    before = list(wire.ledger(machine.settings).query())
    refuses(machine, f"{words} {name}", ExitCode.USAGE, f"there is no backup {name}", "opsctl backup list")
    assert list(wire.ledger(machine.settings).query()) == before


@pytest.mark.parametrize("name", ["nothing", "20200101T000000Z-00000000", "../../etc", "Größe"])
def test_a_drill_that_there_is_not_is_a_matter_of_words(machine: Machine, name: str) -> None:
    refuses(machine, f"drill show {name}", ExitCode.USAGE, f"there is no drill {name}", "opsctl drill list")


@pytest.mark.parametrize("seq", ["0", "4711"])
def test_a_record_that_there_is_not_is_a_matter_of_words(machine: Machine, seq: str) -> None:
    refuses(machine, f"ledger show {seq}", ExitCode.USAGE, f"the ledger has no record {seq}", "opsctl ledger list")


def test_one_backup_and_all_of_them_cannot_be_meant_at_once(machine: Machine) -> None:
    refuses(machine, "backup verify --all nothing", ExitCode.USAGE, "--all is more than nothing")


def test_an_identity_in_place_of_a_recipient_is_one_mistake_and_not_repeated(machine: Machine) -> None:
    identity = str(pyrage.x25519.Identity.generate())
    machine.change(backup={"recipients": [identity]})
    ended = refuses(machine, "backup run", ExitCode.USAGE, "has a mistake: [backup.recipients #1]: string should match")
    assert identity not in ended.err


def test_a_setting_in_the_environment_is_named_too(machine: Machine) -> None:
    ended = machine.opsctl("config", "validate", env={"OPSCTL_BINLOGS__FRESH_MIN": "3"})
    is_refusal(ended, ExitCode.USAGE, "OPSCTL_BINLOGS__FRESH_MIN", "did you mean OPSCTL_BINLOG?")
