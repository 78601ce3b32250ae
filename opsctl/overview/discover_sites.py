"""Recognises what runs in a document root: WordPress, CodeIgniter, or plain files."""

import re
from pathlib import Path
from typing import Any

from opsctl.stack.rooted import below, resolve

_DEBIAN_CONFIGS = Path("/etc/wordpress")
_CONTENT = re.compile(r"""^\s*define\(\s*['"]WP_CONTENT_DIR['"]\s*,\s*['"]([^'"]+)['"]\s*\)""", re.MULTILINE)
_CODEIGNITER = Path("application/config")
_NO_SLUG = re.compile(r"[^a-z0-9]+")


def describe_site(root: Path, document_root: Path, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Values for a `[[sites]]` table, or None when the document root is not there. All paths are the host's."""
    place = below(root, resolve(root, document_root)[1])
    if not place.is_dir():
        return None
    site: dict[str, Any] = {"name": slug(names[0] if names else document_root.name)}
    if (place / "wp-load.php").is_file():
        return site | _wordpress(root, document_root, names)
    for base in (document_root, document_root.parent):
        if below(root, base / _CODEIGNITER).is_dir() and (place / "index.php").is_file():
            return site | _codeigniter(root, base, names)
    return site | {"kind": "static", "paths": [str(document_root)]}


def slug(text: str) -> str:
    """A name as settings allow it: `blog-example` of `Blog.example`."""
    return _NO_SLUG.sub("-", text.lower()).strip("-")[:63] or "site"


def _wordpress(root: Path, code: Path, names: tuple[str, ...]) -> dict[str, Any]:
    host, config = _wordpress_config(root, code, names)
    text = below(root, config).read_text(errors="replace") if config and below(root, config).is_file() else ""
    defined = _CONTENT.search(text)
    content = Path(defined[1]) if defined else code / "wp-content"
    paths = [code]
    paths += [] if content.is_relative_to(code) else [content]
    paths += [_DEBIAN_CONFIGS] if config and config.is_relative_to(_DEBIAN_CONFIGS) else []
    values: dict[str, Any] = {"kind": "wordpress", "paths": [str(path) for path in paths], "code": str(code)}
    if config is not None:
        values |= {"config": str(config), "secret_files": [str(config)]}
    if host is not None:
        values["http_host"] = host
    if below(root, content / "uploads").is_dir():
        values["uploads"] = str(content / "uploads")
    return values


def _wordpress_config(root: Path, code: Path, names: tuple[str, ...]) -> tuple[str | None, Path | None]:
    """The host name to ask with and the file with the credentials: Debian keeps one for each host name."""
    for name in names:
        if below(root, _DEBIAN_CONFIGS / f"config-{name}.php").is_file():
            return name, _DEBIAN_CONFIGS / f"config-{name}.php"
    host = names[0] if names else None
    for candidate in (code / "wp-config.php", code.parent / "wp-config.php"):
        if below(root, candidate).is_file():
            return host, candidate
    return host, None


def _codeigniter(root: Path, base: Path, names: tuple[str, ...]) -> dict[str, Any]:
    directory = base / _CODEIGNITER
    candidates = (directory / "app-config.php", directory / "database.php", directory / "config.php", base / ".env")
    present = [path for path in candidates if below(root, path).is_file()]
    values: dict[str, Any] = {"kind": "codeigniter", "paths": [str(base)]}
    if present:
        values |= {"config": str(present[0]), "secret_files": [str(path) for path in present]}
    if names:
        values["http_host"] = names[0]
    if below(root, base / "uploads").is_dir():
        values["uploads"] = str(base / "uploads")
    return values
