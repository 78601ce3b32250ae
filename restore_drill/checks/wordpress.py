"""What a restored WordPress is set up with: its configuration, evaluated by PHP in the sandbox as the site would.

WordPress' own wp-load.php finds the configuration, whatever form that has: beside it, one directory above, Debian's
choice by host name, files required from files. In the sandbox a program of ours lies over wp-settings.php, so that
evaluation ends where the configuration is complete, before any code of WordPress, its plugins or themes runs.
"""

import base64
import os
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from backup.manifest import Manifest, Site
from opsctl.core.errors import OpsError
from opsctl.core.sandbox import Mount
from restore_drill.checks.php import php_failure, program, run_php
from restore_drill.checks.view import inside, resolve, site_paths, tree_words
from restore_drill.paths import ScratchPaths

_ANSWER = re.compile(rb"^opsctl-settings:([A-Za-z0-9+/=]+)$", re.MULTILINE)
SALTS = 8


class ConfigError(OpsError):
    """WordPress cannot be configured by what was restored."""


class NoCodeError(OpsError):
    """WordPress' code cannot be found, so its configuration cannot be evaluated."""


class WpSettings(BaseModel):
    """What a wp-config.php came to. `included`: the files that were read for it, links resolved, as on the host;
    `salts`: for each of the eight constants `set`, `default` or `missing`. Bytes that are no UTF-8 are surrogates."""

    model_config = ConfigDict(frozen=True)

    db_name: str
    db_user: str
    db_password: SecretStr
    db_host: str
    table_prefix: str
    uploads: str
    included: tuple[str, ...]
    salts: dict[str, str]


class _Answer(BaseModel):
    """What the program says: strings as base64, None for what the configuration does not define."""

    db_name: str | None
    db_user: str | None
    db_password: str | None
    db_host: str | None
    table_prefix: str | None
    uploads: str
    included: tuple[str, ...]
    salts: dict[str, str]


def wordpress_sites(manifest: Manifest) -> list[Site]:
    """The sites that are WordPress."""
    return [site for site in manifest.sites if site.kind == "wordpress"]


def code_directory(tree: Path, site: Site) -> str:
    """Where wp-load.php lies, as on the host: where the manifest says, or beside the configuration.

    Raises NoCodeError.
    """
    candidates = [path for path in (site.code, os.path.dirname(site.config or "")) if path]
    for candidate in candidates:
        if inside(tree, f"{candidate}/wp-load.php").is_file():
            return candidate
    raise NoCodeError(
        f"{site.name}: there is no wp-load.php in {' or '.join(candidates) or 'any directory named in the manifest'}",
        hint="set the site's `code` in opsctl.toml on the host to the directory with wp-load.php, and back up again",
    )


def evaluate(paths: ScratchPaths, manifest: Manifest, site: Site) -> WpSettings:
    """Evaluate a site's configuration. Raises NoCodeError, and ConfigError when it does not come to an end."""
    code = code_directory(paths.tree, site)
    handover = resolve(paths.tree, f"{code}/wp-settings.php")
    if not inside(paths.tree, handover).is_file():
        raise NoCodeError(f"{site.name}: WordPress' code in {code} lacks wp-settings.php")
    done = run_php(
        paths,
        "wp_load.php",
        {"host": site.http_host or "localhost", "code": code},
        view=tree_words(paths.tree, site_paths(manifest)),
        mounts=[Mount(program(paths, "wp_settings.php"), Path(handover))],
    )
    answers = _ANSWER.findall(done.stdout)
    if not answers:
        raise ConfigError(f"{site.name}: {php_failure(done)}", hint=f"compare {site.config or code} with the host's")
    return _settings(site, answers[-1])


def _settings(site: Site, encoded: bytes) -> WpSettings:
    try:
        answer = _Answer.model_validate_json(base64.b64decode(encoded))
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"{site.name}: the configuration came to nothing that can be read") from error
    named = {
        "DB_NAME": answer.db_name,
        "DB_USER": answer.db_user,
        "DB_PASSWORD": answer.db_password,
        "DB_HOST": answer.db_host,
        "$table_prefix": answer.table_prefix,
    }
    missing = [name for name, value in named.items() if value is None]
    if missing:
        raise ConfigError(f"{site.name}: the configuration does not define {', '.join(missing)}")
    return WpSettings(
        db_name=_text(answer.db_name),
        db_user=_text(answer.db_user),
        db_password=SecretStr(_text(answer.db_password)),
        db_host=_text(answer.db_host),
        table_prefix=_text(answer.table_prefix),
        uploads=_text(answer.uploads),
        included=tuple(_text(each) for each in answer.included),
        salts=answer.salts,
    )


def _text(encoded: str | None) -> str:
    return base64.b64decode(encoded or "").decode(errors="surrogateescape")
