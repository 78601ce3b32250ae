"""Servers that opsctl does not work with are told at once, by every job that asks one for its data."""

from opsctl.core.errors import SettingsError
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.mariadb.version import find_version
from opsctl.core.process import command, run

TIMEOUT_S = 20.0
_VARIABLES = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'wsrep_on')"


def refuse_unsupported(connection: Connection, where: str) -> None:
    """Raise SettingsError for a Galera node, and for a server of a newer series than the installed mariadb-backup.

    The tools read the server's files and its replication stream, of which they know those of their own series and of
    older ones (https://mariadb.com/kb/en/mariadb-backup-overview/).
    """
    variables = {str(name).lower(): str(value) for name, value in rows(connection, _VARIABLES)}
    if variables.get("wsrep_on", "OFF") != "OFF":
        raise SettingsError(
            "this server is a Galera node (wsrep_on), whose backups need the cluster's sequence numbers, and whose "
            "binary logs are not the whole of what its tables went through",
            where=where,
            hint="opsctl works with single servers only; what else it looks for: opsctl doctor",
        )
    done = run(command("mariadb-backup", "--version"), timeout_s=TIMEOUT_S)
    tool, server = find_version(done.text() + done.stderr), find_version(variables["version"])
    if tool is not None and server is not None and (server.major, server.minor) > (tool.major, tool.minor):
        raise SettingsError(
            f"the server is MariaDB {server}, of a newer series than the installed mariadb-backup {tool}",
            where=where,
            hint="install the one of the server's own series: apt-get install mariadb-backup",
        )
