"""The repository's own page restores, with the very commands that it prints and no opsctl."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from backup.binlog.ship import ship
from backup.chain import chain_of
from backup.context import Host
from backup.manifest import Manifest
from backup.run import run_backup
from opsctl.stack.settings import SiteSection
from tests.integration.backup.faulty import During
from tests.support.host import SIGNER, identity_file, keys_identity_file, make_host
from tests.support.mariadb import Server

_TABLES = ("shop.t", "shop.aria", "shop.myisam", "shop.late", "opsctl.heartbeat")
_LOOK_STEP = "\n\n6. In the end\n"


def commands(text: str) -> str:
    """The lines of the page that are to be typed."""
    return "\n".join(line[4:] for line in text.splitlines() if line.startswith("    "))


def restore_script(host: Host, manifest: Manifest, directory: Path, lineage: str) -> str:
    """The page's commands with the places of this test, and a look at the result before the server is shut down."""
    repository = Path(host.store.where)
    settings = {
        "REPO": repository,
        "B": repository / "acme" / "backups" / manifest.id,
        "L": repository / "acme" / "binlog" / lineage,
        "IDENTITY": identity_file(directory),
        "KEYS_IDENTITY": keys_identity_file(directory),
        "ALLOWED_SIGNERS": host.trust.allowed_signers,
        "SIGNER": SIGNER,
        "T": directory / "t",
    }
    page = (repository / "README.txt").read_text()
    before, after = page.split(_LOOK_STEP)
    look = f'mariadb --defaults-file="$T/client.cnf" -N -e "CHECKSUM TABLE {", ".join(_TABLES)}" > "$T/checksums"'
    script = f"{commands(before)}\n{look}\n{commands(after)}"
    for name, value in settings.items():
        script, count = re.subn(rf"^{name}=\S+$", f"{name}={value}", script, flags=re.MULTILINE)
        assert count == 1, name
    return script


def run_in_own_group(script: str) -> tuple[int, str]:
    """Run the script, whose server must not outlive it; return its status and all it said."""
    bash = subprocess.Popen(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        said, _ = bash.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
        bash.wait()
    return bash.returncode, said.decode(errors="replace")


def checksums(server: Server) -> str:
    rows = server.sql(f"CHECKSUM TABLE {', '.join(_TABLES)}")
    return "".join(f"{name}\t{checksum}\n" for name, checksum in rows)


def seen(site: Path) -> dict[str, tuple[int, int, str]]:
    """Every file and directory with its mode, a file's time in seconds, and its content."""
    return {
        str(path.relative_to(site)): (
            path.stat().st_mode,
            int(path.stat().st_mtime) if path.is_file() else 0,
            path.read_text() if path.is_file() else "",
        )
        for path in (site, *site.rglob("*"))
    }


def test_the_commands_of_the_readme_restore_database_binary_logs_and_files(directory: Path, server: Server) -> None:
    site = directory / "root" / "srv" / "blog"
    site.mkdir(parents=True)
    (site / "index.php").write_text("<?php echo 1;")
    (site / "wp-config.php").write_text("<?php $password = 1;")
    for name in ("kept", "edited", "deleted/-rf", "renamed\nfile"):
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).write_text(name)
    during = During(lambda: server.sql("INSERT INTO shop.t VALUES (10, 'during the backup, before its position')"))
    sites = [SiteSection(name="blog", kind="wordpress", paths=(Path("/srv/blog"),))]
    host = make_host(directory, server, sites=sites)
    server.sql(
        "CREATE DATABASE shop",
        "CREATE TABLE shop.t (i INT PRIMARY KEY, v TEXT) ENGINE=InnoDB",
        "CREATE TABLE shop.aria (i INT PRIMARY KEY, v TEXT) ENGINE=Aria",
        "CREATE TABLE shop.myisam (i INT PRIMARY KEY, v TEXT) ENGINE=MyISAM",
        *(f"INSERT INTO shop.{name} VALUES (1, 'before'), (2, 'é')" for name in ("t", "aria", "myisam")),
    )
    ship(host)
    run_backup(host)
    server.sql("INSERT INTO shop.t VALUES (5, 'before the second')")
    shutil.rmtree(site / "deleted")
    (site / "deleted").write_text("a file now")
    (site / "renamed\nfile").rename(site / "another\nname")
    (site / "edited").write_text("longer than it was")
    run_backup(host)
    server.sql("INSERT INTO shop.t VALUES (6, 'before the third')", "CREATE TABLE shop.late (i INT PRIMARY KEY)")
    (site / "kept").chmod(0o600)
    manifest = run_backup(replace(host, progress=during))
    assert len(chain_of(host.catalog, manifest.id)) == 3
    assert sum(each.kind == "files" for each in manifest.artefacts) == 3
    server.sql("INSERT INTO shop.t VALUES (3, 'after the backup')", "UPDATE shop.myisam SET v = 'changed'")
    ship(host)
    server.sql("ALTER TABLE shop.aria ADD COLUMN more INT DEFAULT 7", "DELETE FROM shop.t WHERE i = 1")
    ship(host)
    [lineage] = host.catalog.lineages()

    script = restore_script(host, manifest, directory, f"{lineage.server}/{lineage.lineage}")
    status, said = run_in_own_group(script)

    assert status == 0, said
    restored = directory / "t"
    assert (restored / "checksums").read_text() == checksums(server)
    assert seen(restored / "files/srv/blog") == seen(site)


def test_the_readme_is_published_once_and_never_replaced(directory: Path, shared_server: Server) -> None:
    host = make_host(directory, shared_server)
    run_backup(host)
    page = Path(host.store.where) / "README.txt"
    page.chmod(0o600)
    page.write_text("the customer's own notes")
    run_backup(host)
    assert page.read_text() == "the customer's own notes"
