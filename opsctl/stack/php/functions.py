"""PHP's own functions that configuration files call, as far as their result can be told without running PHP."""

import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from opsctl.stack.php.values import Files, PhpArray, Unknown, Value

Known = str | int | float | bool | None | PhpArray
_BLANKS = " \t\n\r\0\x0b"

# What they return is not known here, but they set nothing that a configuration is asked for.
HARMLESS = frozenset(
    {
        *("array_key_exists", "array_merge", "base64_decode", "base64_encode", "bin2hex", "boolval", "class_exists"),
        *("count", "date", "date_default_timezone_set", "env", "error_log", "error_reporting", "explode"),
        *("extension_loaded", "file_get_contents", "filter_var", "function_exists", "getenv", "gethostname", "hash"),
        *("header", "header_remove", "hex2bin", "http_response_code", "implode", "ini_get", "ini_set", "intval"),
        *("is_array", "is_string", "json_decode", "mb_internal_encoding", "md5", "ob_start", "parse_url"),
        *("php_sapi_name", "php_uname", "phpversion", "preg_match", "preg_replace", "print_r", "printf", "putenv"),
        *("rawurldecode", "session_start", "set_time_limit", "setlocale", "sha1", "sprintf", "strlen", "strval"),
        *("substr", "time", "umask", "urldecode", "usleep", "var_dump", "version_compare"),
    }
)


def truth(value: Value) -> bool | None:
    """Whether PHP takes a value for true; None when that is not known."""
    if isinstance(value, Unknown):
        return None
    if isinstance(value, PhpArray):
        return bool(value.items) or (None if value.rest else False)
    return value not in ("", "0") and bool(value)


def as_text(value: Known) -> str | None:
    """A value as PHP writes it into a string; None for an array."""
    if isinstance(value, PhpArray):
        return None
    if value is None or value is False:
        return ""
    return "1" if value is True else str(value)


def is_known(name: str) -> bool:
    """Whether `call` can work a function out."""
    return name in _OF_STRINGS or name in _OF_FILES or name == "in_array"


def call(name: str, arguments: Sequence[Known], files: Files, directory: Path) -> Known:
    """The result of a function; relative paths are seen from `directory`.

    Raises ValueError for arguments it cannot be worked out for.
    """
    if name == "in_array":
        return _in_array(arguments)
    words = []
    for argument in arguments:
        word = as_text(argument)
        if word is None:
            raise ValueError("an array")
        words.append(word)
    if name in _OF_FILES:
        return _of_files(name, words, files, directory)
    try:
        return _OF_STRINGS[name](*words)
    except TypeError:
        raise ValueError("the number of arguments") from None


def _of_files(name: str, words: Sequence[str], files: Files, directory: Path) -> Known:
    if len(words) != 1:
        raise ValueError("the number of arguments")
    return _OF_FILES[name](files, directory / words[0]) if words[0] else False


def looks_numeric(text: str) -> bool:
    """Whether PHP may take a string for a number when it compares it with another such string."""
    return text.strip()[:1] in tuple("0123456789.+-")


def _in_array(arguments: Sequence[Known]) -> Known:
    if len(arguments) not in (2, 3) or not isinstance(arguments[1], PhpArray) or arguments[1].rest:
        raise ValueError("an array that is not known")
    texts = [arguments[0], *(item.value for item in arguments[1].items.values())]
    strict = arguments[2:] == [True]
    if not all(isinstance(text, str) and (strict or not looks_numeric(text)) for text in texts):
        raise ValueError("values that PHP compares by their own rules")
    return texts[0] in texts[1:]


def _dirname(path: str, levels: str = "1") -> str:
    if not path:
        return ""
    for _ in range(int(levels)):
        path = posixpath.dirname(path.rstrip("/")) or ("/" if path.startswith("/") else ".")
    return path


def _position(text: str, part: str) -> int | bool:
    at = text.find(part)
    return at if at >= 0 else False


_OF_STRINGS: Mapping[str, Callable[..., Known]] = {
    "dirname": _dirname,
    "basename": lambda path, suffix="": posixpath.basename(path.rstrip("/")).removesuffix(suffix),
    "strtolower": lambda text: text.lower(),
    "strtoupper": lambda text: text.upper(),
    "trim": lambda text, characters=_BLANKS: text.strip(characters),
    "rtrim": lambda text, characters=_BLANKS: text.rstrip(characters),
    "ltrim": lambda text, characters=_BLANKS: text.lstrip(characters),
    "strpos": _position,
    "stripos": lambda text, part: _position(text.lower(), part.lower()),
    "str_contains": lambda text, part: part in text,
    "str_starts_with": lambda text, part: text.startswith(part),
    "str_ends_with": lambda text, part: text.endswith(part),
    "str_replace": lambda part, other, text: text.replace(part, other) if part else text,
}
_OF_FILES: Mapping[str, Callable[[Files, Path], Known]] = {
    "file_exists": lambda files, path: files.is_file(path) or files.is_dir(path),
    "is_file": lambda files, path: files.is_file(path),
    "is_dir": lambda files, path: files.is_dir(path),
    "is_readable": lambda files, path: files.is_file(path) or files.is_dir(path),
    "realpath": lambda files, path: str(files.real(path)) if files.is_file(path) or files.is_dir(path) else False,
}
