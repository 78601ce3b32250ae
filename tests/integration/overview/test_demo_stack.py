"""The throwaway customer is what it says: real programs, real encryption, laid out as on a Debian host."""

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from pydantic import SecretStr

from opsctl.core.errors import OpsError
from opsctl.core.process import Command, Completed, client_options, command, run
from opsctl.overview.demo import crm, database, size
from opsctl.overview.demo.layout import Layout, on_host
from opsctl.overview.demo.stack import DemoStack
from opsctl.settings import load_settings

ASK_WORDPRESS = b"""<?php
$_SERVER['HTTP_HOST'] = 'blog.example';
require '/usr/share/wordpress/wp-load.php';
$files = [];
foreach (get_posts(['post_type' => 'attachment', 'numberposts' => -1]) as $attachment) {
    $main = get_attached_file($attachment->ID);
    $files[] = $main;
    foreach (wp_get_attachment_metadata($attachment->ID)['sizes'] as $size) {
        $files[] = dirname($main) . '/' . $size['file'];
    }
}
echo json_encode([
    'posts' => (int) wp_count_posts()->publish,
    'files' => $files,
    'missing' => array_values(array_filter($files, fn ($file) => !file_exists($file))),
    'theme' => wp_get_theme()->exists() ? wp_get_theme()->get('Name') : null,
    'home' => home_url(),
]);
"""


@pytest.fixture(scope="module")
def made(stopped_demo: DemoStack) -> Iterator[DemoStack]:
    """One running copy for the tests that only look."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as directory:
        Path(directory).chmod(0o711)
        copy = stopped_demo.copy_to(Path(directory) / "c")
        copy.start()
        yield copy
        copy.remove()


def rows(stack: DemoStack, statement: str) -> list[tuple[Any, ...]]:
    with stack.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


def ask_wordpress(stack: DemoStack) -> Any:
    cmd = on_host(stack.layout, command("php", "-d", "display_errors=stderr"))
    return json.loads(run(cmd, timeout_s=60, stdin=ASK_WORDPRESS).stdout)


def account(stack: DemoStack, name: str) -> "pymysql.Connection[Any]":
    password = (stack.layout.secrets / f"{name}.password").read_text().rstrip("\n")
    return pymysql.connect(unix_socket=str(stack.socket), user=f"opsctl_{name}", password=password, autocommit=True)


def backup_to_nowhere(stack: DemoStack) -> Completed:
    """Run mariadb-backup with opsctl's own account."""
    password = SecretStr((stack.layout.secrets / "backup.password").read_text().rstrip("\n"))
    with (
        tempfile.TemporaryDirectory() as target,
        client_options(user="opsctl_backup", password=password, socket=stack.socket) as (option, descriptor),
    ):
        words = ("mariadb-backup", option, "--backup", "--stream=mbstream", f"--target-dir={target}")
        return run(Command(words, pass_fds=(descriptor,)), timeout_s=120, check=False)


def files_that_hold(directory: Path, text: str) -> list[str]:
    return sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file() and text.encode() in path.read_bytes()
    )


def test_wordpress_answers_with_its_posts_and_every_attachment_is_a_file(made: DemoStack) -> None:
    answer = ask_wordpress(made)
    assert answer["posts"] == made.facts().posts == size.SMALL.posts + 1
    assert answer["missing"] == []
    assert len(answer["files"]) == made.facts().uploads == size.SMALL.attachments * 5
    assert answer["theme"] == "Shopfront"
    assert answer["home"] == "https://blog.example"


def test_content_is_laid_out_as_debian_does(made: DemoStack) -> None:
    content = made.layout.at("/var/lib/wordpress/wp-content")
    assert (content / "themes/shopfront").readlink() == Path("/usr/share/wordpress/wp-content/themes/shopfront")
    assert not made.layout.at("/usr/share/wordpress/wp-content/uploads").exists()
    assert "DB_PASSWORD" not in made.layout.at("/usr/share/wordpress/wp-config.php").read_text()


def test_the_server_runs_on_its_own_configuration(made: DemoStack) -> None:
    variables = dict(rows(made, "SHOW GLOBAL VARIABLES"))
    assert variables["datadir"] == f"{made.layout.at('/var/lib/mysql')}/"
    assert variables["file_key_management_filename"] == str(made.layout.at("/etc/mysql/encryption/keyfile.enc"))
    assert variables["innodb_encrypt_tables"] == "FORCE"
    for name in ("innodb_encrypt_log", "innodb_encrypt_temporary_tables", "aria_encrypt_tables", "encrypt_binlog"):
        assert variables[name] == "ON", name
    assert (variables["binlog_format"], variables["sync_binlog"]) == ("ROW", "1")
    assert (variables["innodb_flush_log_at_trx_commit"], variables["expire_logs_days"]) == ("1", "14.000000")
    assert variables["skip_networking"] == "ON"


def test_every_innodb_table_is_encrypted_with_one_of_three_keys(made: DemoStack) -> None:
    found = rows(
        made,
        "SELECT ENCRYPTION_SCHEME, CURRENT_KEY_ID, COUNT(*) FROM information_schema.INNODB_TABLESPACES_ENCRYPTION"
        " WHERE NAME LIKE 'crm/%' OR NAME LIKE 'wordpress/%' OR NAME LIKE 'opsctl/%' GROUP BY 1, 2 ORDER BY 2",
    )
    assert [(scheme, key) for scheme, key, _ in found] == [(1, 1), (1, 2), (1, 3)]
    assert sum(count for _, _, count in found) == made.facts().tables - 2  # one MyISAM, one Aria


def test_nothing_encrypted_can_be_read_on_disk(demo: DemoStack) -> None:
    with demo.connect() as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO crm.tblsearch_cache VALUES ('Aria sentinel of Sangli', 1)")
        cursor.execute("INSERT INTO crm.tblsessions VALUES ('MyISAM sentinel of Satara', '', 0, '')")
    assert rows(demo, f"SELECT id FROM crm.tblleads WHERE company = '{crm.SENTINEL}'") == [(1,)]
    demo.stop()
    datadir = demo.layout.at("/var/lib/mysql")
    assert files_that_hold(datadir, crm.SENTINEL) == []
    # Aria's tables are encrypted; its log, as 10.11 writes it, is not.
    assert files_that_hold(datadir, "Aria sentinel of Sangli") == ["aria_log.00000001"]
    # MyISAM has no encryption: the same search finds what is there to be found.
    assert files_that_hold(datadir, "MyISAM sentinel of Satara") == ["crm/tblsessions.MYD", "crm/tblsessions.MYI"]


def test_binary_logs_are_encrypted_on_disk_and_readable_through_the_server(made: DemoStack) -> None:
    names = [row[0] for row in rows(made, "SHOW BINARY LOGS")]
    raw = made.layout.at("/var/lib/mysql").joinpath(names[0]).read_bytes()
    assert raw.startswith(b"\xfebin")
    assert b"tblleads" not in raw
    assert any("tblleads" in str(event) for name in names for event in rows(made, f"SHOW BINLOG EVENTS IN '{name}'"))


def test_nginx_accepts_the_three_sites_at_their_original_paths(made: DemoStack) -> None:
    found = run(on_host(made.layout, command("nginx", "-T"), low_ports=True), timeout_s=60)
    assert "test is successful" in found.stderr
    names = re.findall(r"server_name ([^;]+);", found.text())
    assert {name for group in names for name in group.split()} == set(made.facts().server_names)


def test_nginx_refuses_the_sites_when_a_certificate_is_missing(demo: DemoStack) -> None:
    demo.layout.at("/etc/letsencrypt/archive/blog.example/fullchain1.pem").unlink()
    found = run(on_host(demo.layout, command("nginx", "-t"), low_ports=True), timeout_s=60, check=False)
    assert found.status == 1
    assert "live/blog.example/fullchain.pem" in found.stderr


def test_the_crm_column_decrypts_with_the_sites_key_and_with_no_other(demo: DemoStack) -> None:
    stored = rows(demo, crm.KNOWN_VALUE_QUERY)[0][0]
    assert re.fullmatch(r"[0-9a-f]{128}[A-Za-z0-9+/]+=*", stored)
    assert crm.decrypt_accounts(demo.layout, [1, 2]) == {1: crm.KNOWN_VALUE, 2: "IN00OPSC0000000002"}
    config = demo.layout.at(crm.CONFIG)
    config.write_text(re.sub(r"(APP_ENC_KEY', ')[0-9a-f]{32}", r"\g<1>" + 32 * "0", config.read_text()))
    assert crm.decrypt_accounts(demo.layout, [1]) == {1: None}


def test_the_backup_account_suffices_for_a_backup_and_reads_no_row(made: DemoStack) -> None:
    done = backup_to_nowhere(made)
    assert done.status == 0, done.stderr
    assert "completed OK!" in done.stderr
    with account(made, "backup") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ('crm', 'wordpress')")
        assert cursor.fetchall()[0][0] > made.facts().tables
        with pytest.raises(pymysql.err.OperationalError, match="SELECT command denied"):
            cursor.execute("SELECT * FROM crm.tblleads")


def test_the_ship_account_writes_the_heartbeat_and_nothing_else(demo: DemoStack) -> None:
    with account(demo, "ship") as connection, connection.cursor() as cursor:
        beat = "INSERT INTO opsctl.heartbeat VALUES (1, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE at = VALUES(at)"
        cursor.execute(beat)
        cursor.execute(beat)
        cursor.execute("FLUSH BINARY LOGS")
        cursor.execute("SHOW BINARY LOGS")
        assert len(cursor.fetchall()) > 1
        with pytest.raises(pymysql.err.OperationalError, match="DELETE command denied"):
            cursor.execute("DELETE FROM opsctl.heartbeat")
        with pytest.raises(pymysql.err.OperationalError, match="denied"):
            cursor.execute("SELECT * FROM crm.tblleads")


def test_secrets_can_be_read_by_their_owner_only(made: DemoStack) -> None:
    layout = made.layout
    files = [layout.admin_password, *layout.secrets.iterdir(), *layout.at("/etc/mysql/encryption").iterdir()]
    assert len(files) == 7
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    for config in (layout.at("/etc/wordpress/config-blog.example.php"), layout.at(crm.CONFIG)):
        assert config.stat().st_mode & 0o007 == 0


def test_later_work_changes_posts_uploads_cards_and_a_table(demo: DemoStack) -> None:
    before = demo.facts()
    demo.write_more(7)
    demo.write_more(7)
    after = demo.facts()
    assert (after.posts - before.posts, after.attachments - before.attachments) == (14, 2)
    assert (after.leads - before.leads, after.calls - before.calls) == (14, 14)
    assert after.uploads == before.uploads + 10
    assert after.stage_changes == before.stage_changes + 50
    assert rows(demo, "SHOW COLUMNS FROM crm.tblcalls LIKE 'follow_up_on'")
    assert crm.decrypt_accounts(demo.layout, [after.leads])[after.leads] is not None


def test_a_power_cut_loses_nothing_that_was_committed(demo: DemoStack) -> None:
    before = demo.facts()
    demo.kill()
    demo.start()
    assert demo.facts() == before


def test_a_stack_is_taken_up_again_by_its_directory(demo: DemoStack) -> None:
    again = DemoStack.open(demo.layout.directory)
    assert again.facts() == demo.facts()
    again.stop()
    again.stop()
    assert not database.is_running(demo.layout)
    again.start()
    assert again.facts().posts == size.SMALL.posts + 1


def test_its_settings_are_valid_and_name_what_is_there(made: DemoStack, tmp_path: Path) -> None:
    trust = {"signer": "host@demo", "signing_key": "/k", "allowed_signers": "/a"}
    file = tmp_path / "opsctl.toml"
    file.write_text(made.settings_toml({"trust": trust}))
    settings = load_settings(file).settings
    database_section = settings.require_database()
    assert database_section.socket.is_socket()
    assert database_section.backup_password_file is not None
    assert database_section.backup_password_file.is_file()
    paths = [path for site in settings.sites for path in (*site.paths, *site.secret_files, site.config, site.uploads)]
    for path in (*paths, *settings.nginx.paths, settings.nginx.config, *database_section.config_paths):
        assert path is None or made.layout.at(str(path)).exists()
    known = next(site.known_value for site in settings.sites if site.known_value)
    assert known.sha256 == hashlib.sha256(crm.KNOWN_VALUE.encode()).hexdigest()
    assert rows(made, known.query)


def test_a_running_stack_is_not_copied(made: DemoStack, tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="running"):
        made.copy_to(tmp_path / "copy")


def test_a_stack_is_made_in_an_empty_directory_only(tmp_path: Path) -> None:
    short = Path(tempfile.mkdtemp(prefix="o-"))
    try:
        (short / "letter.txt").write_text("keep me")
        with pytest.raises(OpsError, match="not empty"):
            DemoStack.create(short, size=size.SMALL, progress=lambda _: None)
        assert [path.name for path in short.iterdir()] == ["letter.txt"]
    finally:
        shutil.rmtree(short)
    with pytest.raises(OpsError, match="too long"):
        DemoStack.create(tmp_path / ("x" * 90), size=size.SMALL, progress=lambda _: None)


def test_a_server_that_does_not_start_says_why() -> None:
    directory = Path(tempfile.mkdtemp(prefix="o-"))
    try:
        layout = Layout(directory)
        stack = DemoStack(layout)
        with pytest.raises(OpsError, match="did not start"):
            stack.start()
        assert not layout.pid_file.exists()
    finally:
        shutil.rmtree(directory)
