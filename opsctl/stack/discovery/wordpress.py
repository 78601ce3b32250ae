"""Finds a WordPress: its code, the configuration it takes, its content, its uploads and its database."""

import fnmatch
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from opsctl.stack.discovery.drafts import Draft, lasting
from opsctl.stack.discovery.found import Login
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.secrets import secret_names
from opsctl.stack.discovery.web import WebSite
from opsctl.stack.php import PhpConfig, Setting, Unknown, read_config

_DEBIAN_CONFIGS = Path("/etc/wordpress")
_DEBIAN_DEFAULTS = {"DB_NAME": "wordpress", "DB_USER": "wordpress", "DB_HOST": "localhost"}
_DEBIAN_CONTENT = "/var/lib/wordpress/wp-content"
_LOGIN = ("DB_USER", "DB_PASSWORD", "DB_NAME", "DB_HOST")
_CACHES = ("cache", "upgrade", "upgrade-temp-backup", "wflogs", "et-cache")
_EVALUATED = "a drill evaluates it by PHP; see that `config`, `secret_files` and `paths` name all it needs"


@dataclass(frozen=True)
class _Reading:
    """What a configuration came to for one host name. `main` is the file that WordPress takes."""

    main: Path
    php: PhpConfig
    debian: bool

    def setting(self, name: str) -> Setting | None:
        """A constant, or Debian's default for it."""
        found = self.php.constant(name)
        if found is None and self.debian and name in _DEBIAN_DEFAULTS:
            return Setting(_DEBIAN_DEFAULTS[name], self.main, 0)
        return found

    def text(self, name: str) -> str | None:
        """A constant that is known and a string."""
        found = self.setting(name)
        return found.value if found is not None and isinstance(found.value, str) else None

    @property
    def prefix(self) -> str | None:
        """The table prefix, if it is known."""
        found = self.php.variables.get("table_prefix")
        if found is None:
            return "wp_" if self.debian else None
        return found.value if isinstance(found.value, str) else None


def is_wordpress(host: HostFiles, directory: Path) -> bool:
    """Whether a directory holds WordPress' code."""
    return host.is_file(directory / "wp-load.php") and host.is_file(directory / "wp-settings.php")


def find_wordpress(host: HostFiles, web: WebSite, code: Path) -> Iterator[Draft]:
    """Find each WordPress that `code` is for the names of `web`: one, unless its configuration goes by the name."""
    main = _main_config(host, code)
    if main is None:
        host.note(code, "is a WordPress without a wp-config.php", "set it up, or leave it out")
        return
    if not _is_debians(host, main):
        groups = _grouped(
            (name, _Reading(main, _read(host, web, code, main, name), debian=False)) for name in web.hosts or (None,)
        )
        for reading, names in groups:
            yield _draft(host, web, code, reading, names)
        return
    yield from _debians(host, web, code, main)


def _main_config(host: HostFiles, code: Path) -> Path | None:
    """The file that wp-load.php takes: beside it, or one above unless another WordPress lies there."""
    if host.is_file(code / "wp-config.php"):
        return code / "wp-config.php"
    above = host.real(code).parent
    if host.is_file(above / "wp-config.php") and not host.is_file(above / "wp-settings.php"):
        return above / "wp-config.php"
    return None


def _is_debians(host: HostFiles, main: Path) -> bool:
    text = host.read(main) or ""
    return "/etc/wordpress/config-" in text and "DEBIAN_FILE" in text


def _read(host: HostFiles, web: WebSite, code: Path, file: Path, name: str | None) -> PhpConfig:
    server = {"DOCUMENT_ROOT": str(web.root), **web.parameters}
    if name is not None:
        server |= {"HTTP_HOST": name, "SERVER_NAME": name}
    constants = {"ABSPATH": f"{host.real(code)}/"}
    return read_config(host, file, server=server, constants=constants, directory=code)


def _grouped(readings: Iterator[tuple[str | None, _Reading]]) -> list[tuple[_Reading, tuple[str, ...]]]:
    """The readings by the database they lead to, each with its host names."""
    groups: dict[object, tuple[_Reading, tuple[str, ...]]] = {}
    for name, reading in readings:
        key = (reading.main, *(_comparable(reading.setting(each)) for each in _LOGIN), reading.prefix)
        first, names = groups.get(key, (reading, ()))
        groups[key] = (first, (*names, name) if name else names)
    return list(groups.values())


def _comparable(setting: Setting | None) -> object:
    if setting is None or isinstance(setting.value, Unknown):
        return None
    return str(setting.value)


def _debians(host: HostFiles, web: WebSite, code: Path, main: Path) -> Iterator[Draft]:
    """Debian's wp-config.php takes config-<host>.php, config-<domain above>.php or config-default.php."""
    chosen: dict[Path, list[str]] = {}
    for name in dict.fromkeys((*web.hosts, *_names_of_wildcards(host, web))):
        file = _debians_choice(host, name, web.parameters)
        if file is None:
            host.note(
                main,
                f"for {name} there is neither {_debians_file(name)} nor one for its domain, nor config-default.php",
                "write one, or take the name out of nginx's configuration",
            )
        else:
            chosen.setdefault(file, []).append(name)
    if not chosen:
        host.note(main, f"which configuration is taken for {web.title} is not known", "set http_host, config and paths")
    for file, names in chosen.items():
        reading = _Reading(file, _read(host, web, code, file, names[0]), debian=True)
        yield _draft(host, web, code, reading, tuple(names))


def _debians_file(name: str) -> Path:
    return _DEBIAN_CONFIGS / f"config-{name.lower()}.php"


def _debians_choice(host: HostFiles, name: str, parameters: Mapping[str, str]) -> Path | None:
    given = parameters.get("WORDPRESS_CONFIG")
    first = _DEBIAN_CONFIGS / f"config-{given}.php" if given else _debians_file(name)
    for file in (first, _debians_file(name.partition(".")[2]), _DEBIAN_CONFIGS / "config-default.php"):
        if host.is_file(file):
            return file
    return None


def _names_of_wildcards(host: HostFiles, web: WebSite) -> Iterator[str]:
    """Host names under a wildcard for which there is a configuration."""
    for wildcard in (name for name in web.names if "*" in name and not name.startswith("~")):
        for file in host.names(_DEBIAN_CONFIGS):
            name = file.removeprefix("config-").removesuffix(".php")
            if file == f"config-{name}.php" and (
                fnmatch.fnmatchcase(name, wildcard) or wildcard.removeprefix("*.") == name
            ):
                yield name


def _draft(host: HostFiles, web: WebSite, code: Path, reading: _Reading, names: tuple[str, ...]) -> Draft:
    login = _login(host, reading)
    content = _content(host, code, reading)
    uploads = _uploads(host, code, content, reading)
    files = (*reading.php.files, *((code / "wp-config.php",) if reading.debian else ()))
    secrets = tuple(file for file in reading.php.files if secret_names(host.read(file) or ""))
    config = lasting(host, (code,), _config_file(host, reading))
    named = (reading.text(name) for name in ("WP_PLUGIN_DIR", "WPMU_PLUGIN_DIR"))
    further = tuple(lasting(host, (code,), Path(posixpath.normpath(text))) for text in named if text)
    plain = tuple(file for file in files if file not in secrets and not reading.debian)
    return Draft(
        kind="wordpress",
        home=web.root,
        paths=(
            _tree(host, web, files),
            *((content,) if content else ()),
            *further,
            *((_DEBIAN_CONFIGS,) if reading.debian else ()),
            *plain,
        ),
        hosts=names,
        server_names=web.names,
        secrets=(config, *secrets),
        excluded=tuple(content / name for name in _CACHES) if content else (),
        config=config,
        code=None if config.parent == code else code,
        http_host=_http_host(reading, names),
        uploads=uploads,
        login=login,
        multisite=_is_true(reading, "MULTISITE") or reading.setting("SUBDOMAIN_INSTALL") is not None,
    )


def _tree(host: HostFiles, web: WebSite, files: tuple[Path, ...]) -> Path:
    """The directory with all of the code: of a Composer project that keeps its configuration beside it, the whole."""
    project = web.root.parent
    beside = [file for file in files if not file.is_relative_to(host.real(web.root))]
    if host.is_file(project / "composer.json") and any(file.is_relative_to(host.real(project)) for file in beside):
        return project
    return web.root


def _is_true(reading: _Reading, name: str) -> bool:
    found = reading.setting(name)
    return found is not None and not isinstance(found.value, Unknown) and bool(found.value)


def _config_file(host: HostFiles, reading: _Reading) -> Path:
    """The file in which the password is set, which WordPress takes or requires."""
    found = reading.php.constant("DB_PASSWORD")
    return reading.main if found is None or host.real(found.file) == host.real(reading.main) else found.file


def _login(host: HostFiles, reading: _Reading) -> Login | None:
    """How WordPress logs in; what of it is not understood is noted, with the place."""
    values = {name: reading.text(name) for name in _LOGIN}
    prefix = reading.prefix
    missing = [name for name, value in values.items() if value is None]
    places = {name: reading.setting(name) for name in missing}
    if prefix is None:
        missing.append("$table_prefix")
        places["$table_prefix"] = reading.php.variables.get("table_prefix")
    if missing:
        unknown = [found.value for found in places.values() if found and isinstance(found.value, Unknown)]
        reasons = dict.fromkeys(str(each) for each in (*unknown, *reading.php.opaque))
        why = "; ".join(list(reasons)[:3]) or "nothing that was read sets it"
        host.note(reading.main, f"{', '.join(missing)} cannot be told without running PHP: {why}", _EVALUATED)
        return None
    return Login(
        user=values["DB_USER"] or "",
        password=SecretStr(values["DB_PASSWORD"] or ""),
        database=values["DB_NAME"] or "",
        host=values["DB_HOST"] or "",
        prefix=prefix,
    )


def _content(host: HostFiles, code: Path, reading: _Reading) -> Path | None:
    found = reading.php.constant("WP_CONTENT_DIR")
    if found is None:
        own_place = reading.debian and reading.php.constant("DONT_SET_WP_CONTENT_DIR") is None
        return Path(_DEBIAN_CONTENT) if own_place else code / "wp-content"
    if not isinstance(found.value, str):
        host.note(reading.main, f"where the content lies is not understood: {found.value}", "set paths and uploads")
        return None
    return lasting(host, (code,), Path(posixpath.normpath(found.value)))


def _uploads(host: HostFiles, code: Path, content: Path | None, reading: _Reading) -> Path | None:
    found = reading.php.constant("UPLOADS")
    if found is not None:
        uploads = code / found.value if isinstance(found.value, str) else None
    else:
        uploads = content / "uploads" if content else None
    if uploads is None or not host.is_dir(uploads):
        where = uploads or (content or code)
        host.note(where, f"{reading.main}: no uploads are there", "set the site's `uploads` once there are some")
        return None
    return uploads


def _http_host(reading: _Reading, names: tuple[str, ...]) -> str | None:
    """The name under which WordPress knows itself, if it is one of the server's; else the first."""
    for name in ("DOMAIN_CURRENT_SITE", "WP_HOME", "WP_SITEURL"):
        text = (reading.text(name) or "").partition("//")
        own = (text[2] or text[0]).partition("/")[0].lower()
        if own in names:
            return own
    return names[0] if names else None
