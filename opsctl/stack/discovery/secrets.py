"""Recognises files that hold secrets in a site's trees, by name and by what stands in them."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from opsctl.stack.discovery.host import HostFiles

# Files in which people keep credentials, and the copies they make of them before they change something. In a
# directory of configuration it can be any.
_NAMES = re.compile(
    r"\.?(?:wp-config|app-config)[\w.-]*(?:\.php|\.bak|\.old|\.orig|\.save|\.txt)\S{0,24}"
    r"|\.env(?:[.~_-]\S{0,24})?|\.htpasswd\S{0,24}|auth\.json"
    r"|(?:local_?)?(?:settings|secrets?|config|production)\.(?:py|ini|cfg|toml|ya?ml|json)\S{0,24}"
)
_CONFIGURATION = re.compile(r"\.?[\w.-]+\.(?:php|py|ini|cfg|toml|ya?ml|json)\S{0,24}", re.IGNORECASE)
_OF_CONFIGURATION = (Path("/etc/wordpress"), "config", "Config", "settings")
# Examples are published with the code; what stands in them is known to everybody.
_EXAMPLE = re.compile(r"-(?:sample|example|dist|template)\b|\.(?:sample|dist|template)\b|\.example$", re.IGNORECASE)

_NAME = (
    r"(?:[\w.-]{0,64}(?:password|passwd|passphrase|secret|salt|api_?token|auth_token|database_url)\w*"
    r"|(?:[\w.-]{0,64}[_.-])?(?:key|pass)|smtppass)"
)
# A string that is not empty, as it stands or among other words: `getenv('X') ?: 'fallback'`.
_VALUE = r"[^\n;,'\"]{0,200}['\"](?!['\"])[^'\"\n]"
_SET = re.compile(
    rf"""(?ix)
    define\s*\(\s*['"](?P<defined>{_NAME})['"]\s*,{_VALUE}
    | ['"](?P<entry>{_NAME})['"]\s*(?:\]\s*=|=>|:){_VALUE}
    | [$](?P<variable>{_NAME})\s*={_VALUE}
    | ^[ \t#;]*(?P<line>{_NAME})[ \t]*[=:][ \t]*(?:{_VALUE}|[^\s'"\#;(\[{{$=>])
    """,
    re.MULTILINE,
)
# What only names a secret that is kept elsewhere.
_ELSEWHERE = re.compile(
    r"(?:\bgetenv|\bos\.getenv|\benv|(?<![$\w])config|\bos\.environ\.get)\s*\([^()\n]*\)"
    r"|(?:\bos\.environ|\$_(?:ENV|SERVER))\[[^\[\]\n]*\]"
)
_HARMLESS = re.compile(r"(?i)csrf|cookie|primary_?key|foreign_?key|password_(?:hash|algo|min|reset)|^['\"]?key['\"]?$")
_PLACEHOLDER = re.compile(r"(?i).{0,2}(?:put your unique phrase here|password_here)")
_DEEPEST = 6
_PASSED_BY = frozenset(
    {"node_modules", "vendor", ".git", "wp-includes", "wp-admin", "cache", "__pycache__", "site-packages", "system"}
)


def secret_names(text: str) -> tuple[str, ...]:
    """The names of settings in a file that have a value which should be nobody's business, comments included."""
    found = []
    text = _ELSEWHERE.sub("", text)
    for match in _SET.finditer(text):
        kind, name = next((kind, name) for kind, name in match.groupdict().items() if name)
        if _PLACEHOLDER.match(text, match.end() - 2):
            continue
        # `$key = '…'` is CodeIgniter's own; as an array's entry `key` is anything.
        if kind == "variable" or not _HARMLESS.search(name):
            found.append(name)
    return tuple(dict.fromkeys(found))


def secret_files(host: HostFiles, paths: Iterable[Path], apart: Iterable[Path] = ()) -> tuple[Path, ...]:
    """The files below `paths` that hold secrets, by their real paths; none below `apart`, where strangers write."""
    apart = tuple(host.real(path) for path in apart)
    found: dict[Path, None] = {}
    for path in paths:
        for file in _candidates(host, host.real(path), apart, 0):
            if _is_secret(host, file):
                found[file] = None
    return tuple(sorted(found))


def _candidates(host: HostFiles, path: Path, apart: tuple[Path, ...], depth: int) -> Iterator[Path]:
    if path in apart or host.is_link(path):
        return
    if host.is_file(path):
        if _is_named(path) and not _EXAMPLE.search(path.name):
            yield path
    elif depth < _DEEPEST and path.name not in _PASSED_BY:
        for name in host.names(path):
            yield from _candidates(host, path / name, apart, depth + 1)


def _is_named(path: Path) -> bool:
    if _NAMES.fullmatch(path.name):
        return True
    within = path.parent in _OF_CONFIGURATION or any(part in _OF_CONFIGURATION for part in path.parent.parts[-2:])
    return within and _CONFIGURATION.fullmatch(path.name) is not None


def _is_secret(host: HostFiles, file: Path) -> bool:
    if file.name.startswith((".env", ".htpasswd")) or file.name == "auth.json":
        return True
    text = host.read(file)
    # What an editor leaves behind is no text, and holds what the text held.
    return text is not None and ("\0" in text or bool(secret_names(text)))
