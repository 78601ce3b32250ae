"""What is carried to a host as a release: packed the same each time; unpacked only if nothing of it leads out."""

import io
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from opsctl.core.errors import SettingsError
from opsctl.deploy.agent.host import AgentError
from opsctl.deploy.agent.unpack import unpack, verify
from opsctl.deploy.releases.pack import packed


def member(name: str, **facts: Any) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    for fact, value in facts.items():
        setattr(made, fact, value)
    return made


def archive(directory: Path, *members: tarfile.TarInfo, data: bytes = b"") -> Path:
    path = directory / "release.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for each in members:
            each.size = len(data) if each.isreg() else 0
            tar.addfile(each, io.BytesIO(data))
    return path


def link(name: str, target: str) -> tarfile.TarInfo:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


FOLDER = member("d", type=tarfile.DIRTYPE)


@pytest.mark.parametrize(
    "members",
    [
        pytest.param([member("../evil")], id="a path above"),
        pytest.param([member("/etc/evil")], id="an absolute path"),
        pytest.param([FOLDER, member("d/../../evil")], id="a path that climbs"),
        pytest.param([member("d/evil")], id="a file below nothing"),
        pytest.param([link("d", "."), member("d/evil")], id="a file below a link"),
        pytest.param([link("passwd", "/etc/shadow")], id="a link to the host's files"),
        pytest.param([link("up", "../../etc/shadow")], id="a link above"),
        pytest.param([FOLDER, link("d/top", ".."), link("out", "d/top/../x")], id="links that lead out together"),
        pytest.param([link("python", "/usr/bin/python3/../../../etc")], id="a link by way of python"),
        pytest.param([member("hard", type=tarfile.LNKTYPE, linkname="/etc/shadow")], id="a hard link"),
        pytest.param([member("disk", type=tarfile.BLKTYPE, devmajor=8)], id="a device"),
        pytest.param([member("pipe", type=tarfile.FIFOTYPE)], id="a pipe"),
        pytest.param([member("su", mode=0o4755)], id="a program of its owner's"),
        pytest.param([member("sg", mode=0o2755)], id="a program of its group's"),
        pytest.param([member("a"), member("a")], id="a name twice"),
    ],
)
def test_what_leads_out_or_is_no_plain_file_is_refused(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    with pytest.raises(AgentError, match="the archive has"):
        unpack(archive(tmp_path, *members), tmp_path / "into", os.getgid())


def test_what_was_cut_or_changed_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path, member("a"), data=os.urandom(100_000))
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(AgentError, match="the archive cannot be read"):
        unpack(path, tmp_path / "into", os.getgid())
    with pytest.raises(AgentError, match="what arrived is not what was sent"):
        verify(path, "0" * 64)


def application(directory: Path) -> Path:
    made = directory / "app"
    (made / "public/uploads").mkdir(parents=True)
    (made / "venv/bin").mkdir(parents=True)
    (made / "public/index.php").write_text("<?php")
    (made / "public/uploads/mine").write_text("mine")
    (made / ".env").write_text("SECRET=1")
    (made / "venv/bin/run").write_text("#!/bin/sh\n")
    (made / "venv/bin/run").chmod(0o4700)
    (made / "venv/bin/python3").symlink_to("/usr/bin/python3")
    (made / "venv/bin/python").symlink_to("python3")
    (made / "public/front").symlink_to("index.php")
    return made


def test_a_release_arrives_as_it_is_but_for_what_is_shared_and_for_rights(tmp_path: Path) -> None:
    path = tmp_path / "release.tar.gz"
    with packed(application(tmp_path), ["public/uploads/", ".env"]) as release:
        path.write_bytes(b"".join(release.parts()))
        assert (release.size, release.files) == (path.stat().st_size, 2)
        verify(path, release.sha256)
    unpack(path, tmp_path / "into", os.getgid())
    into = tmp_path / "into"
    found = {str(each.relative_to(into)): oct(each.lstat().st_mode & 0o7777) for each in into.rglob("*")}
    links = {name for name in found if (into / name).is_symlink()}
    assert links == {"venv/bin/python", "venv/bin/python3", "public/front"}
    assert {name: mode for name, mode in found.items() if name not in links} == {
        "public": "0o750",
        "public/index.php": "0o640",
        "venv": "0o750",
        "venv/bin": "0o750",
        "venv/bin/run": "0o750",
    }


def test_the_same_directory_has_the_same_digest(tmp_path: Path) -> None:
    made = application(tmp_path)
    with packed(made, []) as first, packed(made, []) as second:
        assert first.sha256 == second.sha256


@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside", "../app/public/index.php/../../.."])
def test_a_link_that_leads_out_is_named_before_anything_is_carried(tmp_path: Path, target: str) -> None:
    made = application(tmp_path)
    (made / "odd").symlink_to(target)
    with pytest.raises(SettingsError, match=re.escape(target)), packed(made, []):
        pass
