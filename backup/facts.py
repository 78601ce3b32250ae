"""What the database server says of itself before a backup."""

from dataclasses import dataclass
from pathlib import Path

from opsctl.core.errors import AuthError
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.stack.mariadb_keys import EncryptionKeys, encryption_keys

_PLUGIN = (
    "SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'ENCRYPTION' AND PLUGIN_STATUS = 'ACTIVE'"
)
_SIZE = "SELECT CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS SIGNED) FROM information_schema.TABLES"
_VARIABLES = (
    "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'server_id', 'datadir', 'log_bin')"
    " OR Variable_name LIKE 'file\\_key\\_management\\_%'"
)
# Tables on which an account has no privilege at all are not in its information_schema.
_SEES_ALL = "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('REFERENCES', 'SELECT')"


@dataclass(frozen=True)
class ServerFacts:
    """The server's version and id, its data directory, whether it writes a binary log, where its encryption keys lie on
    this machine, and about how many bytes its tables hold."""

    version: str
    server_id: int
    datadir: Path
    binlog: bool
    keys: EncryptionKeys
    table_bytes: int


def read_facts(connection: Connection) -> ServerFacts:
    """Ask the server. Raises AuthError for an account that would not see every table."""
    if not rows(connection, _SEES_ALL)[0][0]:
        account = rows(connection, "SELECT CURRENT_USER()")[0][0]
        raise AuthError(
            f"{account} does not see every table, so a missing one would not be noticed",
            where="information_schema.TABLES",
            hint=f"as the database's root: GRANT REFERENCES ON *.* TO {account} (which lets it read no row)",
        )
    variables = {str(name).lower(): str(value) for name, value in rows(connection, _VARIABLES)}
    plugins = rows(connection, _PLUGIN)
    return ServerFacts(
        version=variables["version"],
        server_id=int(variables["server_id"]),
        datadir=Path(variables["datadir"]),
        binlog=variables["log_bin"] == "ON",
        keys=encryption_keys(str(plugins[0][0]).lower() if plugins else None, variables),
        table_bytes=int(rows(connection, _SIZE)[0][0]),
    )
