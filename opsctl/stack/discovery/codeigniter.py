"""Finds a CodeIgniter, 3 or 4: its code, its configuration with the keys, its uploads and its database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from opsctl.stack.discovery.dotenv import read_dotenv
from opsctl.stack.discovery.drafts import Draft
from opsctl.stack.discovery.found import Login
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.secrets import secret_names
from opsctl.stack.discovery.web import WebSite
from opsctl.stack.php import PhpArray, PhpConfig, Setting, Unknown, read_config

# In this order: the first is what products built on CodeIgniter 3 keep the customer's own values in.
_THREE = ("app-config.php", "constants.php", "config.php", "database.php")
_THREE_MARKS = ("app-config.php", "config.php", "database.php")
_FOUR = ("App.php", "Database.php", "Encryption.php")
_LOGIN = {"hostname": "host", "username": "user", "password": "password", "database": "database"}
_THREE_CACHES = ("application/cache", "application/logs")
_FOUR_CACHES = ("writable/cache", "writable/logs", "writable/session", "writable/debugbar")
_UPLOADS = ("uploads", "public/uploads", "writable/uploads", "assets/uploads", "application/uploads")
# Directories that hold several sites; none of them is one.
_SHARED = {"/", "/srv", "/var", "/var/www", "/home", "/opt", "/usr", "/usr/share", "/usr/local"}


@dataclass(frozen=True)
class _Values:
    """What was understood of the configuration, by CodeIgniter's own names, and the files it was read from."""

    settings: Mapping[str, Setting]
    files: tuple[Path, ...]
    opaque: tuple[str, ...]


def find_codeigniter(host: HostFiles, web: WebSite) -> Draft | None:
    """Find the CodeIgniter that answers from `web`; None when none does."""
    application = _application(host, web)
    if application is not None:
        return _three(host, web, application)
    for project in (web.root.parent, web.root):
        config = project / "app/Config"
        if all(host.is_file(config / name) for name in _FOUR[:2]):
            return _four(host, web, project)
    return None


def _application(host: HostFiles, web: WebSite) -> Path | None:
    """CodeIgniter 3's directory of the application, where index.php says it is."""
    candidates = [web.root / "application"]
    index = web.root / "index.php"
    if host.is_file(index):
        told = read_config(host, index, follow=False).variables.get("application_folder")
        if told is not None and isinstance(told.value, str):
            candidates.insert(0, host.real(web.root) / told.value)
    around = host.real(web.root)
    for candidate in candidates:
        if any(host.is_file(candidate / "config" / name) for name in _THREE_MARKS):
            real = host.real(candidate)
            return web.root / real.relative_to(around) if real.is_relative_to(around) else real
    return None


def _three(host: HostFiles, web: WebSite, application: Path) -> Draft:
    directory = application / "config"
    environment = _environment(host, web, directory)
    names = [directory / name for name in _THREE]
    names += [directory / environment / name for name in _THREE if environment]
    files = [name for name in names if host.is_file(name)]
    constants = {"APPPATH": f"{host.real(application)}/", "BASEPATH": None, "FCPATH": f"{host.real(web.root)}/"}
    php = read_config(
        host,
        *files,
        server={"DOCUMENT_ROOT": str(web.root), **web.parameters},
        constants={**constants, "ENVIRONMENT": environment},
        directory=web.root,
    )
    group = php.entry("active_group")
    active = group.value if group is not None and isinstance(group.value, str) else "default"
    settings = {"encryption_key": php.entry("config", "encryption_key")}
    settings |= {name: php.entry("db", active, name) for name in (*_LOGIN, "dbprefix")}
    values = _Values(
        {name: setting for name, setting in settings.items() if setting is not None},
        php.files,
        tuple(str(place) for place in php.opaque),
    )
    project = _project(host, web.root, application)
    caches = tuple(application.parent / name for name in _THREE_CACHES)
    return _draft(host, web, (web.root, application) if project is None else (project,), values, caches)


def _environment(host: HostFiles, web: WebSite, directory: Path) -> str | None:
    """CodeIgniter 3's environment, whose own files count most; noted when it is not known and there are such files."""
    index = web.root / "index.php"
    php = read_config(host, index, server=web.parameters, follow=False) if host.is_file(index) else None
    found = php.text("ENVIRONMENT") if php else None
    own = [name for name in host.names(directory) if host.is_dir(directory / name)]
    of_environments = [name for name in own if any(host.is_file(directory / name / each) for each in _THREE)]
    if found is None and of_environments:
        host.note(
            directory,
            f"which environment's files count is not known: {', '.join(of_environments)}",
            "see CI_ENV in the web server's configuration, and set the site's `config` to the right file",
        )
    return found


def _project(host: HostFiles, web_root: Path, application: Path) -> Path | None:
    """The directory that holds both the web root and the application, if it belongs to this site alone."""
    if application.is_relative_to(web_root):
        return web_root
    above = host.real(web_root).parent
    alone = str(above) not in _SHARED and above.parent != Path("/home")
    return above if alone and host.real(application).is_relative_to(above) else None


def _four(host: HostFiles, web: WebSite, project: Path) -> Draft:
    files = [project / "app/Config" / name for name in _FOUR if host.is_file(project / "app/Config" / name)]
    php = read_config(host, *files, constants={"APPPATH": f"{host.real(project)}/app/", "ENVIRONMENT": None})
    settings: dict[str, Setting] = {}
    if (key := php.classes.get("Encryption.key")) is not None:
        settings["encryption_key"] = key
    settings |= _group_of_four(php)
    env = project / ".env"
    text = host.read(env)
    for name, value in read_dotenv(text or "").items():
        short = "encryption_key" if name == "encryption.key" else name.removeprefix("database.default.")
        short = {"DBPrefix": "dbprefix"}.get(short, short)
        if short in (*_LOGIN, "dbprefix", "encryption_key"):
            known = Unknown("refers to other settings", env, 0) if value is None else value
            settings[short] = Setting(known, env, 0)
    values = _Values(settings, (*php.files, *((env,) if text is not None else ())), tuple(map(str, php.opaque)))
    caches = tuple(project / name for name in _FOUR_CACHES)
    return _draft(host, web, (project,), values, caches)


def _group_of_four(php: PhpConfig) -> dict[str, Setting]:
    active = php.classes.get("Database.defaultGroup")
    name = active.value if active is not None and isinstance(active.value, str) else "default"
    group = php.classes.get(f"Database.{name}")
    if group is None or not isinstance(group.value, PhpArray):
        return {}
    found = {"dbprefix": group.value.get("DBPrefix"), **{each: group.value.get(each) for each in _LOGIN}}
    return {name: setting for name, setting in found.items() if setting is not None}


def _draft(host: HostFiles, web: WebSite, paths: tuple[Path, ...], values: _Values, caches: tuple[Path, ...]) -> Draft:
    config = _config_file(host, values)
    secrets = tuple(file for file in values.files if secret_names(host.read(file) or ""))
    if config is None:
        host.note(web.root, "no file was found that sets the encryption key or the database's password", "set `config`")
    return Draft(
        kind="codeigniter",
        home=web.root,
        paths=paths,
        hosts=web.hosts,
        server_names=web.names,
        secrets=secrets if config is None else (config, *secrets),
        excluded=caches,
        config=config,
        uploads=_uploads(host, (*paths, web.root)),
        login=_login(host, values, config or web.root),
    )


def _config_file(host: HostFiles, values: _Values) -> Path | None:
    """The file in which the encryption key stands; if there is none, the one with the database's password."""
    by_names = {file: secret_names(host.read(file) or "") for file in values.files}
    for wanted in (("enc", "key"), ("key",), ("pass",)):
        for file, names in by_names.items():
            if any(all(part in name.lower() for part in wanted) for name in names):
                return file
    return None


def _login(host: HostFiles, values: _Values, where: Path) -> Login | None:
    known = {name: setting.value for name, setting in values.settings.items() if isinstance(setting.value, str)}
    missing = [name for name in _LOGIN if name not in known]
    if missing:
        unknown = [str(s.value) for n, s in values.settings.items() if n in missing and isinstance(s.value, Unknown)]
        why = "; ".join(list(dict.fromkeys((*unknown, *values.opaque)))[:3]) or "nothing that was read sets it"
        host.note(
            where,
            f"the database's {', '.join(missing)} cannot be told without running PHP: {why}",
            "see that `config` and `secret_files` name the files that set it",
        )
        return None
    return Login(
        user=known["username"],
        password=SecretStr(known["password"]),
        database=known["database"],
        host=known["hostname"],
        prefix=known.get("dbprefix"),
    )


def _uploads(host: HostFiles, places: Iterable[Path]) -> Path | None:
    found = {
        host.real(place / name): place / name for place in places for name in _UPLOADS if host.is_dir(place / name)
    }
    if len(found) > 1:
        several = ", ".join(str(path) for path in found.values())
        host.note(next(iter(found.values())), f"several directories look like uploads: {several}", "set `uploads`")
    return next(iter(found.values()), None)
