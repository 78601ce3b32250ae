"""Keys of applications: they parse, and what they once encrypted can be read with them again."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping

from cryptography.fernet import Fernet, InvalidToken
from pydantic import BaseModel, TypeAdapter, ValidationError

from backup.manifest import Site
from opsctl.core.errors import OpsError
from restore_drill.checks.names import quoted
from restore_drill.checks.needs import need_server, restored_secret
from restore_drill.checks.php import php_failure, run_php
from restore_drill.checks.tally import Tally
from restore_drill.checks.view import inside, site_paths, tree_words
from restore_drill.checks.wordpress import SALTS, WpSettings, evaluate
from restore_drill.restored import CouldNotRunError, Restored

_ANSWER = re.compile(rb"^opsctl-keys:([A-Za-z0-9+/=]+)$", re.MULTILINE)
_FERNET_KEY = re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}=(?![A-Za-z0-9_=-])")
_HINT = "compare the site's configuration in the keys archive with the host's: whose key is it?"


class AppKeyError(OpsError):
    """A key of an application is not there, or does not open what it should."""


class CiKey(BaseModel):
    """One key that a CodeIgniter configuration defines, and what it made of the known value."""

    name: str
    bytes: int
    sha256: str | None


_KEYS = TypeAdapter(list[CiKey])


def judge_app_keys(restored: Restored, tally: Tally) -> int:
    """Judge the keys of each site that has some; return the number of known values that were decrypted."""
    judges: Mapping[str, Callable[[Restored, Site], int]] = {
        "wordpress": _wordpress,
        "codeigniter": _codeigniter,
        "python": _python,
    }
    decrypted = 0
    for site in restored.manifest.sites:
        judge = judges.get(site.kind)
        if judge is None or site.config is None:
            continue
        try:
            restored_secret(restored, site.config)
            decrypted += judge(restored, site)
        except AppKeyError as error:
            tally.problem(f"{site.name}: {error.message}", hint=_HINT)
        except OpsError as error:
            tally.unjudged.append(f"{site.name}: its keys could not be tried: {error.message}")
    return decrypted


def _wordpress(restored: Restored, site: Site) -> int:
    """Each of the eight keys and salts is set, or lies in the database, where WordPress then makes and keeps its own.

    Source: wp_salt() in wp-includes/pluggable.php.
    """
    settings = evaluate(restored.paths, restored.manifest, site)
    unset = [name for name, state in settings.salts.items() if state != "set"]
    if unset:
        stored = _stored_salts(restored, settings)
        unset = [name for name in unset if name.lower() not in stored]
    if unset or len(settings.salts) != SALTS:
        raise AppKeyError(f"{len(unset)} of WordPress' {SALTS} keys and salts are not set: {', '.join(unset)}")
    return 0


def _stored_salts(restored: Restored, settings: WpSettings) -> set[str]:
    table = quoted(settings.db_name, f"{settings.table_prefix}options")
    rows = need_server(restored).query(
        f"SELECT option_name AS name FROM {table} WHERE option_value <> '' AND "  # noqa: S608 - names are quoted
        "(option_name LIKE '%%\\_key' OR option_name LIKE '%%\\_salt')"
    )
    return {str(row["name"]) for row in rows}


def _codeigniter(restored: Restored, site: Site) -> int:
    """The configuration defines an encryption key, and it opens the known value if the manifest names one."""
    value = _known_value(restored, site)
    if inside(restored.paths.tree, str(site.config)).name.startswith(".env"):
        raise CouldNotRunError("the keys of a CodeIgniter 4 .env file are not tried")
    done = run_php(
        restored.paths,
        "ci_keys.php",
        {"config": site.config, "value": None if value is None else base64.b64encode(value).decode()},
        view=tree_words(restored.paths.tree, site_paths(restored.manifest)),
    )
    answers = _ANSWER.findall(done.stdout)
    try:
        keys = _KEYS.validate_json(base64.b64decode(answers[-1])) if answers else None
    except (ValidationError, binascii.Error):
        keys = None
    if keys is None:
        raise AppKeyError(f"its configuration does not load: {php_failure(done)}")
    if not keys:
        raise AppKeyError("its configuration defines no encryption key")
    return _compare(site, {key.sha256 for key in keys}, "CodeIgniter")


def _python(restored: Restored, site: Site) -> int:
    """Every Fernet key in the configuration parses, and one opens the known value if the manifest names one."""
    text = inside(restored.paths.tree, str(site.config)).read_text(errors="replace")
    keys = [Fernet(found) for found in _FERNET_KEY.findall(text)]
    value = _known_value(restored, site)
    if value is None:
        return 0
    if not keys:
        raise AppKeyError("its configuration holds no Fernet key")
    return _compare(site, {_fernet(key, value) for key in keys}, "Fernet")


def _fernet(key: Fernet, value: bytes) -> str | None:
    try:
        return hashlib.sha256(key.decrypt(value)).hexdigest()
    except InvalidToken:
        return None


def _compare(site: Site, digests: set[str | None], what: str) -> int:
    if site.known_value is None:
        return 0
    if site.known_value.sha256 not in digests:
        opened = "decrypts it to something else" if digests - {None} else "does not open it"
        raise AppKeyError(f"the known value in the database is lost: the restored {what} key {opened}")
    return 1


def _known_value(restored: Restored, site: Site) -> bytes | None:
    """The encrypted value, found by the manifest's query in the restored database; None when the site names none."""
    if site.known_value is None:
        return None
    query = site.known_value.query.replace("%", "%%")
    try:
        rows = need_server(restored).query(query)
    except CouldNotRunError:
        raise
    except OpsError as error:
        raise CouldNotRunError(f"its known value cannot be read: {error.message.splitlines()[0]}") from error
    if len(rows) != 1 or len(rows[0]) != 1:
        raise AppKeyError("the query for its known value does not return one value")
    value = next(iter(rows[0].values()))
    if value is None:
        raise AppKeyError("its known value is NULL")
    return value if isinstance(value, bytes) else str(value).encode()
