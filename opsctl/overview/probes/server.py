"""Probes of the database server: reachable, of a version that can be backed up, with a binary log worth shipping."""

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

from opsctl.core.errors import AuthError, UnreachableError
from opsctl.core.look import Look, Seen, bad, good, unknown
from opsctl.core.mariadb.connect import connected, read_password, rows
from opsctl.core.mariadb.version import Version, find_version
from opsctl.core.process import command
from opsctl.core.runner import Runner
from opsctl.stack.accounts import accounts
from opsctl.stack.settings import DatabaseSection

TIMEOUT_S = 20.0
DAY_S = 86400
KEEP_DAYS = 7
_FILE = "/etc/mysql/mariadb.conf.d/90-opsctl.cnf"
_REMOVE = "remove {name} (where is it? grep -rn {name} /etc/mysql), then: systemctl restart mariadb"
_NO_CLUSTERS = "opsctl does not back up Galera clusters yet; see what this one is: SHOW STATUS LIKE 'wsrep%'"

Variables = Mapping[str, str]
# BACKUP STAGE is used in full from these releases on; before, commits wait longer for a backup.
_SHORT_LOCKS = {(10, 11): 8, (11, 0): 6, (11, 1): 5, (11, 2): 4, (11, 4): 2}


def server_probes(database: DatabaseSection) -> list[Look]:
    """All of them. Variables are read once for all."""

    @cache
    def variables() -> Variables:
        return _variables(database)

    probes = [
        Look(
            f"server.login_{account.role}",
            f"{account.user} can log in",
            "the server answers and accepts the password",
            partial(_login, database.socket, account.user, account.password_file),
            failing=(AuthError, UnreachableError),
        )
        for account in accounts(database)
    ]
    checks: list[tuple[str, str, str, Callable[[Variables], Seen]]] = [
        ("version", "the server's version", "MariaDB 10.8 or newer", _version),
        ("galera", "the server stands alone", "wsrep_on is OFF", _galera),
        ("log_bin", "the binary log is on", "log_bin is ON", _log_bin),
        ("binlog_format", "rows are logged", "binlog_format is ROW", partial(_is, "binlog_format", "ROW")),
        ("binlog_filter", "nothing is left out of the log", "no binlog_do_db, binlog_ignore_db", _filters),
        ("sync_binlog", "the log survives a power cut", "sync_binlog is 1", partial(_is, "sync_binlog", "1")),
        (
            "flush_log",
            "commits survive a power cut",
            "innodb_flush_log_at_trx_commit is 1",
            partial(_is, "innodb_flush_log_at_trx_commit", "1"),
        ),
        (
            "binlog_checksum",
            "the log is checksummed",
            "binlog_checksum is CRC32",
            partial(_is, "binlog_checksum", "CRC32"),
        ),
        ("binlog_expiry", "logs are kept long enough", f"binary logs are kept {KEEP_DAYS} days or more", _expiry),
    ]
    probes += [
        Look(f"server.{name}", title, expected, lambda host, check=check: check(variables()))  # type: ignore[misc]
        for name, title, expected, check in checks
    ]
    probes.append(
        Look(
            "server.backup_version",
            "mariadb-backup fits the server",
            "mariadb-backup is of the server's series and not older",
            lambda host: _backup_version(host, variables()),
        )
    )
    return probes


def _login(socket: Path, user: str, password_file: Path | None, host: Runner) -> Seen:
    password = read_password(password_file, user)
    with connected(socket, user=user, password=password, timeout_s=TIMEOUT_S) as connection:
        return good(f"connected as {rows(connection, 'SELECT CURRENT_USER()')[0][0]}")


def _variables(database: DatabaseSection) -> Variables:
    password = read_password(database.ship_password_file, database.ship_user)
    with connected(database.socket, user=database.ship_user, password=password, timeout_s=TIMEOUT_S) as connection:
        found = {name: value for name, value in rows(connection, "SHOW GLOBAL VARIABLES")}  # noqa: C416
        status = rows(connection, "SHOW MASTER STATUS")
        found["binlog_do_db"], found["binlog_ignore_db"] = status[0][2:4] if status else ("", "")
    return found


def _is(name: str, wanted: str, variables: Variables) -> Seen:
    found = variables.get(name, "")
    if found.upper() == wanted:
        return good(f"{name} is {found}")
    return bad(f"{name} is {found or 'not there'}", _set(f"{name} = {wanted}"))


def _set(line: str) -> str:
    return f"write '{line}' below [mariadbd] in {_FILE}, then: systemctl restart mariadb"


def _version(variables: Variables) -> Seen:
    text = variables.get("version", "")
    found = find_version(text)
    if "mariadb" not in text.lower() or found is None:
        return bad(f"the server says it is {text or 'nothing'}", "opsctl works with MariaDB")
    if found < Version(10, 8, 0):
        return bad(f"MariaDB {found}", "upgrade MariaDB: binary logs before 10.8 cannot be read by GTID")
    needed = _SHORT_LOCKS.get((found.major, found.minor))
    if needed is not None and found.patch < needed:
        return good(f"MariaDB {found}; before {found.major}.{found.minor}.{needed} commits wait longer for a backup")
    return good(f"MariaDB {found}")


def _galera(variables: Variables) -> Seen:
    if variables.get("wsrep_on", "OFF") == "OFF":
        return good("wsrep_on is OFF")
    return bad("wsrep_on is ON: this is a Galera node", _NO_CLUSTERS)


def _log_bin(variables: Variables) -> Seen:
    if variables.get("log_bin") == "ON":
        return good("log_bin is ON")
    return bad("log_bin is OFF: nothing can be recovered but the moment of a backup", _set("log_bin = mysql-bin"))


def _filters(variables: Variables) -> Seen:
    for name in ("binlog_do_db", "binlog_ignore_db"):
        if variables.get(name):
            return bad(f"{name} is {variables[name]}: some changes are never logged", _REMOVE.format(name=name))
    return good("everything is logged")


def _expiry(variables: Variables) -> Seen:
    kept_s = int(variables.get("binlog_expire_logs_seconds", "0"))
    if kept_s == 0:
        return good("binary logs are kept until somebody purges them", kept_s=0)
    days = kept_s / DAY_S
    if days >= KEEP_DAYS:
        return good(f"binary logs are kept for {days:g} days", kept_s=kept_s)
    return bad(
        f"binary logs are kept for {days:.2g} days: a shipment that fails over a long weekend leaves a gap",
        _set(f"binlog_expire_logs_seconds = {KEEP_DAYS * DAY_S}"),
        kept_s=kept_s,
    )


def _backup_version(host: Runner, variables: Variables) -> Seen:
    done = host.run(command("mariadb-backup", "--version"), timeout_s=TIMEOUT_S)
    tool = find_version(done.text() + done.stderr)
    server = find_version(variables.get("version", ""))
    if tool is None or server is None:
        return unknown("a version cannot be read", "mariadb-backup --version")
    hint = "install the mariadb-backup of the server's own repository: apt-get install mariadb-backup"
    if (tool.major, tool.minor) != (server.major, server.minor):
        return bad(f"mariadb-backup {tool} is of another series than the server's {server}", hint)
    if tool < server:
        return bad(f"mariadb-backup {tool} is older than the server's {server}", hint)
    return good(f"mariadb-backup {tool}, server {server}")
