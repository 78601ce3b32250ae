"""`opsctl doctor`: everything that it looks at is broken once, and the probe that should see it does."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsctl.cli.main import run
from opsctl.core import process
from opsctl.core.errors import ExitCode
from opsctl.core.result import Outcome, Result, exit_code_of
from opsctl.core.runner import LocalRunner
from opsctl.overview.demo.stack import DemoStack
from opsctl.overview.doctor import probes
from opsctl.settings import load_settings
from tests.contracts.probe import ProbeContract
from tests.integration.cli.conftest import Machine, init_words, run_accounts_sql


@pytest.fixture(scope="module")
def shared(stopped_demo: DemoStack) -> Iterator[tuple[DemoStack, Path]]:
    """One customer for all tests here: each of them repairs what it broke."""
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        Path(name).chmod(0o711)
        stack = stopped_demo.copy_to(Path(name) / "c")
        stack.start()
        machine = Machine(Path(name) / "m")
        assert run(["--config", str(machine.config), *init_words(machine, stack)]) == 0
        yield stack, machine.directory
        stack.remove()


@pytest.fixture
def demo(shared: tuple[DemoStack, Path]) -> DemoStack:
    return shared[0]


@pytest.fixture
def customer(shared: tuple[DemoStack, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Machine]:
    stack, directory = shared
    kept = tmp_path / "kept"
    shutil.copytree(directory, kept)
    machine = Machine(directory, capsys)
    run_accounts_sql(machine, stack)
    yield machine
    shutil.rmtree(directory)
    shutil.copytree(kept, directory)


def result_of(machine: Machine, probe_id: str) -> Result:
    (probe,) = [probe for probe in probes(load_settings(machine.config)) if probe.id == probe_id]
    return probe.run(LocalRunner())


def fails(machine: Machine, probe_id: str, *words: str) -> None:
    """The probe fails, says these words, and has something to type next."""
    result = result_of(machine, probe_id)
    assert result.outcome is Outcome.FAILED, result
    for word in words:
        assert word in f"{result.found} {result.hint}"
    assert result.hint


def sql(stack: DemoStack, *statements: str) -> None:
    with stack.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("variable", "bad", "good", "probe_id"),
    [
        ("sync_binlog", "0", "1", "server.sync_binlog"),
        ("innodb_flush_log_at_trx_commit", "2", "1", "server.flush_log"),
        ("binlog_format", "'STATEMENT'", "'ROW'", "server.binlog_format"),
        ("binlog_checksum", "'NONE'", "'CRC32'", "server.binlog_checksum"),
        ("binlog_expire_logs_seconds", "86400", "1209600", "server.binlog_expiry"),
    ],
)
def test_a_server_variable_that_loses_data_fails(
    demo: DemoStack, customer: Machine, *, variable: str, bad: str, good: str, probe_id: str
) -> None:
    assert result_of(customer, probe_id).passed
    sql(demo, f"SET GLOBAL {variable} = {bad}")
    try:
        fails(customer, probe_id, variable, "systemctl restart mariadb")
    finally:
        sql(demo, f"SET GLOBAL {variable} = {good}")


@pytest.mark.parametrize(
    ("user", "privilege", "on"),
    [
        *(
            ("opsctl_backup", name, "*.*")
            for name in ("RELOAD", "PROCESS", "LOCK TABLES", "BINLOG MONITOR", "REFERENCES")
        ),
        *(("opsctl_ship", name, "*.*") for name in ("RELOAD", "BINLOG MONITOR", "REPLICATION SLAVE")),
        *(("opsctl_ship", name, "opsctl.heartbeat") for name in ("SELECT", "INSERT", "UPDATE")),
    ],
)
def test_each_missing_privilege_is_named_with_its_sql(
    demo: DemoStack, customer: Machine, user: str, privilege: str, on: str
) -> None:
    sql(demo, f"REVOKE {privilege} ON {on} FROM {user}@localhost")
    probe_id = f"grant.{user.removeprefix('opsctl_')}.{privilege.lower().replace(' ', '_')}"
    fails(customer, probe_id, f"GRANT {privilege} ON {on} TO {user}@localhost;")


def test_a_wrong_password_fails_the_login_and_hides_the_rest(demo: DemoStack, customer: Machine) -> None:
    sql(demo, "ALTER USER opsctl_ship@localhost IDENTIFIED BY 'another'")
    fails(customer, "server.login_ship", "Access denied")
    assert result_of(customer, "server.log_bin").outcome is Outcome.COULD_NOT_RUN
    assert result_of(customer, "server.login_backup").passed


def test_no_server_fails_the_login(demo: DemoStack, customer: Machine) -> None:
    demo.stop()
    try:
        fails(customer, "server.login_backup", "cannot be reached")
    finally:
        demo.start()


def test_no_heartbeat_table_fails_with_the_sql_that_makes_it(demo: DemoStack, customer: Machine) -> None:
    sql(demo, "DROP TABLE opsctl.heartbeat")
    fails(customer, "server.heartbeat", "CREATE TABLE IF NOT EXISTS opsctl.heartbeat")


def test_looking_writes_nothing_into_the_binary_log(demo: DemoStack, customer: Machine) -> None:
    def state() -> object:
        with demo.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT @@gtid_binlog_state")
            return cursor.fetchall()

    before = state()
    assert customer.opsctl("doctor")[0] == 0
    assert state() == before


Breaker = Callable[[Path], object]


def replace_recipient(directory: Path, name: str = "recipients") -> None:
    config = directory / "opsctl.toml"
    lines = [
        f'{name} = ["age1{"x" * 58}"]' if line.startswith(f"{name} = ") else line
        for line in config.read_text().splitlines()
    ]
    config.write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("probe_id", "breaker", "word"),
    [
        ("files.settings", lambda path: (path / "opsctl.toml").chmod(0o666), "chmod go-w"),
        ("keys.signing_key", lambda path: (path / "signing_key").chmod(0o644), "chmod 600"),
        ("keys.allowed_signers", lambda path: (path / "allowed_signers").write_text(""), "no signer trusted"),
        ("files.backup_password", lambda path: (path / "secrets/backup.password").chmod(0o640), "chmod 600"),
        ("files.ship_password", lambda path: (path / "secrets/ship.password").unlink(), "is not there"),
        ("identities.data", lambda path: (path / "identity.txt").chmod(0o644), "chmod 600"),
        ("identities.keys", lambda path: (path / "keys-identity.txt").write_text("nothing"), "no age identity"),
        ("recipients.data", replace_recipient, "age refuses recipient 1"),
        ("recipients.keys", lambda path: replace_recipient(path, "keys_recipients"), "age refuses recipient 1"),
        ("repository.local.writable", lambda path: (path / "repository").write_text(""), "is no directory"),
        ("files.state", lambda path: (path / "state").write_text(""), "may not write"),
    ],
)  # fmt: skip
def test_a_file_in_the_wrong_state_fails(
    demo: DemoStack, customer: Machine, probe_id: str, breaker: Breaker, word: str
) -> None:
    breaker(customer.directory)
    fails(customer, probe_id, word)


@pytest.mark.parametrize(
    ("probe_id", "gone"),
    [
        ("site.crm", "srv/crm/application/config/app-config.php"),
        ("site.blog", "var/lib/wordpress/wp-content/uploads"),
        ("nginx.config", "etc/letsencrypt/archive/blog.example/privkey1.pem"),
    ],
)
def test_what_the_settings_name_and_is_gone_fails(demo: DemoStack, customer: Machine, probe_id: str, gone: str) -> None:
    path = demo.root / gone
    path.rename(path.with_name("gone"))
    try:
        fails(customer, probe_id, "is not there")
    finally:
        path.with_name("gone").rename(path)


def test_a_program_that_is_not_there_fails_with_its_package(
    demo: DemoStack, customer: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(process.BASE_ENV, "PATH", "/nonexistent")
    for name, package in (("zstd", "zstd"), ("bwrap", "bubblewrap"), ("mariadb_backup", "mariadb-backup")):
        fails(customer, f"program.{name}", f"apt-get install {package}")


def test_the_exit_code_says_what_was_found(demo: DemoStack, customer: Machine) -> None:
    assert customer.opsctl("doctor", "--quiet")[:2] == (0, "")
    sql(demo, "ALTER USER opsctl_ship@localhost IDENTIFIED BY 'another'")
    code, out, _ = customer.opsctl("doctor")
    assert code == 4
    assert "1 failed" not in out
    assert max(len(line) for line in out.splitlines()) <= 80
    code, document = customer.json("doctor")
    assert (code, document["failed"]) == (4, 2)
    assert document["could_not_run"] > 5


def test_what_could_not_be_looked_at_is_no_success() -> None:
    def result(outcome: Outcome) -> Result:
        return Result(id="x", title="x", outcome=outcome, expected="x", found="x")

    assert exit_code_of([result(Outcome.PASSED), result(Outcome.COULD_NOT_RUN)]) is ExitCode.PARTIAL
    assert exit_code_of([result(Outcome.FAILED), result(Outcome.COULD_NOT_RUN)]) is ExitCode.FINDINGS
    assert exit_code_of([result(Outcome.PASSED)]) is ExitCode.DONE


def test_every_probe_keeps_the_contract(demo: DemoStack, customer: Machine) -> None:
    suite = ProbeContract()
    checks = [getattr(suite, name) for name in dir(suite) if name.startswith("test_")]
    looked_at = probes(load_settings(customer.config))
    assert len(looked_at) > 40
    demo.stop()
    try:
        for probe in looked_at:
            for check in checks:
                check(probe)
    finally:
        demo.start()


@pytest.mark.parametrize(
    ("place", "families"),
    [
        (
            "host",
            {"recipients", "server", "grant", "site", "nginx"},
        ),
        ("drill_host", {"identities", "sandbox"}),
        ("operator", set()),
    ],
)
def test_each_place_is_looked_at_for_what_it_does(customer: Machine, place: str, families: set[str]) -> None:
    text = customer.config.read_text().replace('place = "all"', f'place = "{place}"')
    if place != "host":
        tables = text.split("\n\n")
        text = "\n\n".join(table for table in tables if not {"[database]", "[backup]"} & set(table.splitlines()))
    customer.config.write_text(text)
    ids = [probe.id for probe in probes(load_settings(customer.config))]
    everywhere = {"files", "clock", "ledger", "keys", "repository"} | ({"program"} if families else set())
    assert {probe_id.partition(".")[0] for probe_id in ids} == families | everywhere
    assert ("keys.no_identity" in ids) == (place == "host")
    assert len(ids) == len(set(ids))


def test_a_repository_whose_newest_backup_nobody_trusted_signed_fails(demo: DemoStack, customer: Machine) -> None:
    assert result_of(customer, "repository.local.readable").found == "no backup yet"
    assert customer.opsctl("backup", "run")[0] == 0
    assert result_of(customer, "repository.local.readable").passed
    manifest = next((customer.directory / "repository").rglob("manifest.json"))
    manifest.chmod(0o640)
    manifest.write_text(manifest.read_text().replace('"host":"', '"host":"x'))
    fails(customer, "repository.local.readable", "is not what was signed")


def test_an_identity_on_a_host_fails_wherever_opsctl_keeps_things(customer: Machine) -> None:
    customer.config.write_text(customer.config.read_text().replace('place = "all"', 'place = "host"'))
    fails(customer, "keys.no_identity", f"lies in {customer.directory}/identity.txt", "shred -u")
    kept = customer.directory / "state" / "forgotten.txt"
    kept.parent.mkdir(exist_ok=True)
    (customer.directory / "identity.txt").rename(kept)
    (customer.directory / "keys-identity.txt").unlink()
    fails(customer, "keys.no_identity", f"lies in {kept}", "shred -u")
    kept.unlink()
    assert result_of(customer, "keys.no_identity").passed
