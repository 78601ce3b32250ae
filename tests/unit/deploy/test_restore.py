"""What goes to a new host: all of a restored tree and nothing of where it lay."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from opsctl.core.errors import OpsError, SettingsError
from opsctl.core.ledger import SqliteLedger
from opsctl.deploy.restore import CHUNK, batched, packed, restored_in


def test_trees_and_files_arrive_under_their_new_names_byte_for_byte(tmp_path: Path) -> None:
    (tmp_path / "site/empty").mkdir(parents=True)
    (tmp_path / "site/large").write_bytes(os.urandom(CHUNK + 1))
    (tmp_path / "site/link").symlink_to("large")
    os.link(tmp_path / "site/large", tmp_path / "site/second name")
    (tmp_path / "site/odd \udcff").write_text("odd")
    (tmp_path / "key").write_text("key")
    sent = list(batched(packed([("sites/blog", tmp_path / "site"), ("keys/key", tmp_path / "key")])))
    assert len(sent) < 5, "few pieces: each is sent by itself"
    with tarfile.open(fileobj=io.BytesIO(b"".join(sent)), errors="surrogateescape") as archive:
        assert archive.getnames() == [
            "sites/blog",
            *(f"sites/blog/{name}" for name in ("empty", "large", "link", "odd \udcff", "second name")),
            "keys/key",
        ]
        for name in ("large", "second name"):
            found = archive.extractfile(f"sites/blog/{name}")
            assert found is not None
            assert found.read() == (tmp_path / "site" / name).read_bytes()
        assert archive.getmember("sites/blog/link").linkname == "large"
        assert {member.uname for member in archive} == {""}, "names of accounts of this machine mean nothing there"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="cannot be read"):
        list(packed([("data", tmp_path / "gone")]))


def test_a_directory_that_no_restore_has_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no restore on this machine has made this directory"):
        restored_in(SqliteLedger(tmp_path / "ledger.sqlite"), "acme", tmp_path)
