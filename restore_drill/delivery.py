"""What a finished restore leaves: datadir, files, database keys, an option file, and the commands to go on with."""

import os
import pwd
import shlex
from pathlib import Path

from backup.manifest import Manifest
from opsctl.core.clock import iso
from opsctl.core.errors import IntegrityError
from opsctl.core.failpoints import failpoint
from restore_drill.hostile import new_file
from restore_drill.options import Geometry, below, datadir_words, option_file
from restore_drill.paths import ScratchPaths
from restore_drill.replay import Replayed

OPTIONS = "my.cnf"
START = "START.txt"
SOCKET = "mariadb.sock"
SERVER_USER = "mysql"


def deliver(
    paths: ScratchPaths, manifest: Manifest, geometry: Geometry, final: Path, replayed: Replayed | None
) -> Path:
    """Lay out the result of a restore in the scratch directory, ready to be renamed to `final`; return where it lies.

    Others may pass through the directory and look into none of its parts: datadir and database keys belong to the
    server's user, the rest to root.
    """
    result = paths.root / "result"
    result.mkdir(mode=0o711)
    result.chmod(0o711)
    uid, gid = server_owner()
    paths.data.rename(result / "data")
    give(result / "data", uid, gid)
    failpoint("restore.data_delivered")
    for part, name in ((paths.tree, "files"), (paths.state, "state")):
        if not any(part.iterdir()):
            continue
        part.rename(result / name)
        (result / name).chmod(0o700)
        os.chown(result / name, os.geteuid(), os.getegid())
    _keep_keys(paths, manifest, result / "keys", uid, gid)
    failpoint("restore.keys_delivered")
    with new_file(result / OPTIONS, mode=0o644) as file:
        file.write(server_options(manifest, geometry, final).encode())
    with new_file(result / START, mode=0o644) as file:
        file.write(start_text(manifest, final, replayed).encode())
    return result


def server_owner() -> tuple[int, int]:
    """Who the datadir is for: the system's mysql user if we can give it away and there is one, else ourselves."""
    if os.geteuid() == 0:
        try:
            entry = pwd.getpwnam(SERVER_USER)
        except KeyError:
            return 0, 0
        return entry.pw_uid, entry.pw_gid
    return os.geteuid(), os.getegid()


def server_options(manifest: Manifest, geometry: Geometry, final: Path) -> str:
    """The option file with which a server starts on the restored datadir: closed to the network, no events running."""
    words = [
        f"--datadir={final / 'data'}",
        f"--socket={SOCKET}",
        f"--pid-file={final / 'data' / 'mariadb.pid'}",
        f"--log-error={final / 'data' / 'error.log'}",
        "--skip-networking",
        "--skip-log-bin",
        "--skip-slave-start",
        "--event-scheduler=OFF",
        *datadir_words(manifest.database, geometry, final / "keys"),
    ]
    if server_owner()[0] != os.geteuid():
        words.insert(0, f"--user={SERVER_USER}")
    return option_file("mariadbd", words)


def start_text(manifest: Manifest, final: Path, replayed: Replayed | None) -> str:
    """The text of START.txt: what this is, and the exact commands to look at it, and to put it in place."""
    data, files, options = (shlex.quote(str(final / name)) for name in ("data", "files", OPTIONS))
    state = replayed.gtid_state if replayed else manifest.database.gtid_state
    text = f"""\
{_what(manifest, replayed)}
LOOK AT THE DATABASE (no network, no events, no binary log)
    mariadbd --defaults-file={options} &
    cd {data} && mariadb --no-defaults --socket={SOCKET} --user=root --password
    cd {data} && mariadb-admin --no-defaults --socket={SOCKET} --user=root --password shutdown
A root account that logs in by unix_socket needs no --password.

PUT THE FILES IN PLACE (what is there is overwritten; directories that exist keep their owner and mode)
    ls {files}
    (cd {files} && tar --create --file=- --numeric-owner *) | \\
        tar --extract --file=- --directory=/ --same-permissions --numeric-owner \\
            --no-overwrite-dir --keep-directory-symlink

PUT THE DATABASE IN PLACE (after the files: the server's options and its key files are among them)
    systemctl stop mariadb
    mv /var/lib/mysql /var/lib/mysql.before
    cp --archive {data} /var/lib/mysql
    systemctl start mariadb
"""
    if state:
        text += f"""
GO ON WITH THE SAME GTIDS (on a server with log_bin, before anything is written to it)
    mariadb --execute="RESET MASTER; SET GLOBAL gtid_binlog_state = '{state}'"
"""
    return text + "\nTHEN TAKE A FULL BACKUP: the logs begin anew\n    opsctl backup run\n"


def _what(manifest: Manifest, replayed: Replayed | None) -> str:
    lines = [
        f"Stack {manifest.stack}, restored from backup {manifest.id} of {iso(manifest.finished)}.",
        f"Database of MariaDB {manifest.database.server_version}.",
    ]
    if replayed is None:
        lines.append("No binary log was replayed: the database is as it was at the end of the backup.")
    else:
        lines.append(f"Binary logs replayed: {replayed.transactions} transactions, up to {replayed.stop_description}.")
        if replayed.last_transaction_time is not None:
            lines.append(f"The last transaction is of {iso(replayed.last_transaction_time)}.")
        lines += [f"Note: {warning}." for warning in replayed.warnings]
    lines.append("Files are as they were at the time of the backup: binary logs hold none.")
    return "\n".join(lines) + "\n"


def _keep_keys(paths: ScratchPaths, manifest: Manifest, target: Path, uid: int, gid: int) -> None:
    """Keep the database's key files, at their paths below `target`; the other secrets are at their places already."""
    for host_path in (manifest.database.key_file, manifest.database.filekey_file):
        if host_path is None:
            continue
        source, kept = below(paths.keys, host_path), below(target, host_path)
        if source.resolve() != paths.keys.resolve() / source.relative_to(paths.keys):
            raise IntegrityError(f"a link stands in the way to the key file {host_path}", where="the keys archive")
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.rename(kept)
        kept.chmod(0o400)
    if target.exists():
        give(target, uid, gid)


def give(directory: Path, uid: int, gid: int) -> None:
    """Make a tree somebody's; links in it are given away themselves, never followed."""
    for folder, directories, files in os.walk(directory):
        os.chmod(folder, 0o700)
        os.chown(folder, uid, gid)
        for name in (*directories, *files):
            os.chown(os.path.join(folder, name), uid, gid, follow_symlinks=False)
