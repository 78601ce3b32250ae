"""The customer's host is lost; `opsctl restore` brings back what was backed up and shipped."""

import shutil
from pathlib import Path

from opsctl.overview.demo.stack import DemoStack
from tests.integration.cli.conftest import Machine
from tests.support.mariadb import running_server

COUNTS = {
    "leads": "SELECT COUNT(*) FROM crm.tblleads",
    "calls": "SELECT COUNT(*) FROM crm.tblcalls",
    "stage_changes": "SELECT COUNT(*) FROM crm.tblcard_stages",
    "posts": "SELECT COUNT(*) FROM wordpress.wp7_posts WHERE post_type = 'post' AND post_status = 'publish'",
}
KEY_FILES = ("keyfile.enc", "keyfile.key")


def test_a_lost_customer_comes_back_as_far_as_was_shipped(customer: Machine, demo: DemoStack) -> None:
    assert customer.opsctl("backup", "run")[0] == 0
    demo.write_more()
    assert customer.opsctl("binlog", "ship")[0] == 0
    shipped = demo.facts()
    demo.write_more()  # lost with the host
    demo.stop()
    demo.root.rename(demo.root.with_name("gone"))

    target = customer.directory / "restored"
    code, out, err = customer.opsctl("restore", "--to", str(target), "--latest")
    assert (code, err.count("Error")) == (0, 0), err
    assert "START.txt" in out
    expected = {name: getattr(shipped, name) for name in COUNTS}
    assert _counts(target) == expected

    _assert_same_files(demo.root.with_name("gone"), target / "files", Path("srv/crm"))
    _assert_same_files(demo.root.with_name("gone"), target / "files", Path("etc/letsencrypt"))
    demo.root.with_name("gone").rename(demo.root)


def test_a_restore_to_a_time_without_a_zone_is_refused(customer: Machine) -> None:
    code, _, err = customer.opsctl("restore", "--to", str(customer.directory / "r"), "--at", "2026-05-01T02:30:00")
    assert code == 2
    assert "names no time zone" in err


def _counts(target: Path) -> dict[str, int]:
    keys = [target / "keys/etc/mysql/encryption" / name for name in KEY_FILES]
    options = (
        "--plugin-load-add=file_key_management",
        f"--file-key-management-filename={keys[0]}",
        f"--file-key-management-filekey=FILE:{keys[1]}",
        "--file-key-management-encryption-algorithm=AES_CTR",
        "--skip-grant-tables",
    )
    shutil.copytree(target / "data", target.with_name("copy"))
    with running_server(options, datadir=target.with_name("copy")) as server:
        return {name: server.value(sql) for name, sql in COUNTS.items()}


def _assert_same_files(source: Path, restored: Path, part: Path) -> None:
    """Names, kinds, modes, owners, times (archives hold whole seconds) and contents."""

    def listed(root: Path) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for path in sorted((root / part).rglob("*")):
            status = path.lstat()
            content = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            time = None if path.is_symlink() else int(status.st_mtime)
            found[str(path.relative_to(root))] = (status.st_mode, status.st_uid, status.st_gid, time, content)
        return found

    assert listed(restored) == listed(source)
