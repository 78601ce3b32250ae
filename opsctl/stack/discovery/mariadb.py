"""Finds the MariaDB server: its option files, and in them its socket, its data and its encryption keys."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from opsctl.core.errors import SettingsError
from opsctl.stack.discovery.found import FoundMariadb
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.option_files import Option, OptionFiles, read_option_files
from opsctl.stack.mariadb_keys import FILE_PLUGIN, encryption_keys
from opsctl.stack.rooted import as_on_host

# As `mariadbd --help --verbose` names them.
_DEFAULT_FILES = (Path("/etc/my.cnf"), Path("/etc/mysql/my.cnf"))
_UNITS = Path("/etc/systemd/system")
_UNIT_NAMES = ("mariadb.service", "mysql.service", "mysqld.service")
_ARGUMENT = re.compile(r"--(defaults-file|datadir|socket|log-bin|file-key-management[\w-]*)=([^\s\"']+)")
_DATADIR = "/var/lib/mysql"
_SOCKET = "/run/mysqld/mysqld.sock"
_KEYS = ("file_key_management_filename", "file_key_management_filekey")
_KEY_PLUGIN = re.compile(r"\b(\w*key_management\w*)")
_CONFIGURATION = Path("/etc/mysql")


def find_mariadb(host: HostFiles, server: Mapping[str, str] | None = None) -> FoundMariadb | None:
    """Find the server by its option files; None when there are none.

    `server` are the running server's variables, if it could be asked: what it and the files do not agree on is noted,
    and the server is believed.
    """
    files = read_option_files(host, _default_files(host))
    if not files.files:
        return None
    options = files.of_server(_version(server))
    _note_versions(host, files, server)
    values = {option.name: option.value for option in options if option.value is not None}
    for option in options:
        if option.name in ("socket", "datadir", _KEYS[0]) and server and option.name in server:
            asked = str(as_on_host(host.root, Path(server[option.name]))[0])
            if values[option.name] == option.value and asked.rstrip("/") != (option.value or "").rstrip("/"):
                _note_difference(host, option, asked)
            values[option.name] = asked
    datadir = Path(values.get("datadir", _DATADIR))
    plugin, key_files = _keys(host, options, values)
    return FoundMariadb(
        option_files=files.files,
        config_paths=_config_paths(files.files),
        socket=host.real(datadir / values.get("socket", _SOCKET)),
        datadir=datadir,
        log_bin=_log_bin(options),
        key_plugin=plugin,
        key_files=key_files,
    )


def _default_files(host: HostFiles) -> tuple[Path, ...]:
    """The files that the server begins with: its own, unless its unit names another."""
    files: tuple[Path, ...] = _DEFAULT_FILES
    for name in _UNIT_NAMES:
        drop_ins = _UNITS / f"{name}.d"
        for unit in (_UNITS / name, *(drop_ins / each for each in host.names(drop_ins) if each.endswith(".conf"))):
            plain = [line for line in (host.read(unit) or "").splitlines() if not line.lstrip().startswith(("#", ";"))]
            for argument, value in _ARGUMENT.findall("\n".join(plain)):
                if argument == "defaults-file" and value.startswith("/"):
                    files = (Path(value),)
                else:
                    host.note(
                        unit,
                        f"starts the server with --{argument}, which goes before its option files",
                        "compare [database] of the settings with the running server: SHOW VARIABLES",
                    )
    return files


def _version(server: Mapping[str, str] | None) -> str | None:
    """The version by which groups are named, such as 10.11."""
    found = re.match(r"\d+\.\d+", (server or {}).get("version", ""))
    return found[0] if found else None


def _note_versions(host: HostFiles, files: OptionFiles, server: Mapping[str, str] | None) -> None:
    if server is not None:
        return
    for option in files.of_versions():
        if option.name in ("socket", "datadir", "log_bin", *_KEYS):
            host.note(
                option.file,
                f"line {option.line} sets {option.name} in [{option.group}], for one version of the server only",
                "run opsctl while the server runs, or compare [database] of the settings with: SHOW VARIABLES",
            )


def _note_difference(host: HostFiles, option: Option, asked: str) -> None:
    host.note(
        option.file,
        f"line {option.line} sets {option.name}, and the running server has {asked}",
        "find out which will hold after a restart of the server",
    )


def _log_bin(options: Iterable[Option]) -> str | None:
    """The name of the binary logs, empty for the server's own choice; None when there are none."""
    found: str | None = None
    for option in options:
        if option.name == "log_bin":
            found = None if (option.value or "").upper() in ("0", "OFF") else option.value or ""
        elif option.name in ("skip_log_bin", "disable_log_bin"):
            found = None
    return found


def _keys(host: HostFiles, options: Iterable[Option], values: Mapping[str, str]) -> tuple[str | None, tuple[Path, ...]]:
    """The plugin that manages encryption keys, and with file_key_management its files."""
    plugin = FILE_PLUGIN if any(name in values for name in _KEYS) else None
    for option in options:
        if option.name in ("plugin_load", "plugin_load_add") and (found := _KEY_PLUGIN.search(option.value or "")):
            plugin = found[1]
    where = next((option.file for option in options if option.name in _KEYS), _CONFIGURATION)
    try:
        keys = encryption_keys(plugin, values)
    except SettingsError as error:
        host.note(where, error.message, error.hint or "")
        filename = values.get(_KEYS[0])
        return plugin, (Path(filename),) if filename else ()
    if plugin not in (None, FILE_PLUGIN):
        host.note(_CONFIGURATION, f"keys come from {plugin}, not from a file", "back its keys up by its own means")
    for file in keys.files:
        if not file.is_absolute() or not host.is_file(file):
            host.note(where, f"the key file {file} is not there", "restore it, or correct the option")
    return plugin, keys.files


def _config_paths(files: Iterable[Path]) -> tuple[Path, ...]:
    """What to back up of the configuration: Debian's directory whole, directories of drop-ins, single files."""
    found: dict[Path, None] = {}
    for file in files:
        if file.is_relative_to(_CONFIGURATION):
            found[_CONFIGURATION] = None
        else:
            found[file.parent if file.parent.name.endswith(".d") else file] = None
    return tuple(found)
