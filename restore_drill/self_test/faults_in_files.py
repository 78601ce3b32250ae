"""Faults in sites, uploads and the web server's configuration, made before they were sealed: hashes and signatures
hold."""

import re
import secrets
from collections.abc import Callable
from functools import partial

from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError

_OPENING = b"<?php"
_PREFIX = re.compile(rb"(\$table_prefix\s*=\s*)(['\"])([^'\"]*)\2")
_CI_KEY = re.compile(
    rb"((?:define\s*\(\s*['\"]\w*ENC(?:RYPTION)?_?KEY['\"]\s*,|\$config\[['\"]encryption_key['\"]\]\s*=)\s*)"
    rb"(['\"])(?:(?!\2)[^\\]|\\.)+\2",
    re.IGNORECASE,
)
_BROKEN_VHOST = b"\nserver {\n\tlisten 80;\n\tserver_name_is_no_directive on;\n}\n"

Change = Callable[[bytes], bytes]


def _config(bench: Bench, kind: str) -> str:
    """The real path of the configuration of the first site of a kind."""
    for site in bench.manifest.sites:
        path = bench.model.facts.configs.get(site.name)
        if site.kind == kind and path is not None and bench.holds(path):
            return path
    raise InapplicableError(f"the stack has no site of the kind '{kind}' with a configuration of its own")


def _change(bench: Bench, path: str, change: Change) -> None:
    before = bench.content(path)
    after = change(before)
    if after == before:
        raise InapplicableError(f"{path} has another form than this fault is made for")
    bench.change_files({path: after})
    bench.publish()


def first(code: bytes) -> Change:
    """Let a PHP file begin with more code."""
    return lambda text: text.replace(_OPENING, _OPENING + b"\n" + code + b"\n", 1)


def _wp_config(change: Change, bench: Bench) -> None:
    _change(bench, _config(bench, "wordpress"), change)


def _other_prefix(bench: Bench) -> None:
    _wp_config(lambda text: _PREFIX.sub(rb"\1\2\3lost_\2", text), bench)


def _decoy(bench: Bench) -> None:
    """WordPress finds another configuration first, which works just as well; it is not the site's own."""
    loader = bench.model.facts.wp_loader
    if loader is None or not bench.holds(loader):
        raise InapplicableError("WordPress has no other place in which it looks for its configuration first")
    own = bench.content(_config(bench, "wordpress")).rstrip()
    handover = (
        b"if (!defined('ABSPATH')) { define('ABSPATH', __DIR__ . '/'); }\nrequire_once ABSPATH . 'wp-settings.php';"
    )
    opening = b"" if not own.endswith(b"?>") else _OPENING
    bench.change_files({loader: own + b"\n" + opening + b"\n" + handover + b"\n"})
    bench.publish()


def _other_ci_key(bench: Bench) -> None:
    if not any(site.kind == "codeigniter" and site.known_value for site in bench.manifest.sites):
        raise InapplicableError("no CodeIgniter site names a known value that its key has to decrypt")
    other = secrets.token_hex(16).encode()
    path = _config(bench, "codeigniter")
    _change(bench, path, lambda text: _CI_KEY.sub(lambda found: found[1] + found[2] + other + found[2], text))


def _upload(bench: Bench) -> str:
    """An upload that is no picture of WordPress' library, if there is one."""
    uploads = [files.uploads.lstrip("/") + "/" for files in bench.manifest.files if files.uploads]
    attached = {path.lstrip("/") for path in bench.model.facts.attachments}
    found = [path for path in bench.files() if path.startswith(tuple(uploads))]
    chosen = next(iter(sorted(found, key=lambda path: (path in attached, path))), None)
    if chosen is None:
        raise InapplicableError("there are no uploads")
    return chosen


def _upload_missing(bench: Bench) -> None:
    bench.change_files({_upload(bench): None}, listed=False)
    bench.publish()


def _upload_different(bench: Bench) -> None:
    path = _upload(bench)
    data = bench.content(path)
    bench.change_files({path: bytes([data[0] ^ 1]) + data[1:] if data else b"x"}, listed=False)
    bench.publish()


def _attachment_missing(bench: Bench) -> None:
    for path in bench.model.facts.attachments:
        if bench.holds(path):
            bench.change_files({path: None})
            bench.publish()
            return
    raise InapplicableError("WordPress' library is empty")


def _vhost(bench: Bench) -> tuple[str, ...]:
    for paths in bench.model.facts.vhosts:
        if bench.holds(paths[-1]):
            return paths
    raise InapplicableError("no server of nginx is in a file of its own")


def _vhost_missing(bench: Bench) -> None:
    bench.change_files(dict.fromkeys(_vhost(bench)))
    bench.publish()


def _vhost_broken(bench: Bench) -> None:
    _change(bench, _vhost(bench)[-1], lambda text: text + _BROKEN_VHOST)


def _certificate_missing(bench: Bench) -> None:
    for path in bench.model.facts.certificates:
        if bench.holds(path):
            bench.change_files({path: None})
            bench.publish()
            return
    raise InapplicableError("nginx has no certificate")


_fault = partial(Fault, family="content")

FAULTS = (
    _fault(id="other-ci-key", title="the CodeIgniter key is another", expected="keys", make=_other_ci_key),
    _fault(
        id="wp-syntax",
        title="the WordPress configuration has a syntax error",
        expected="wp_config",
        make=partial(_wp_config, first(b"define('WP_CACHE', ;")),
    ),
    _fault(
        id="wp-password",
        title="the WordPress configuration has a wrong password",
        expected="wp_config",
        make=partial(_wp_config, first(b"define('DB_PASSWORD', 'not the password');")),
    ),
    _fault(id="wp-prefix", title="the table prefix is another", expected="wp_config", make=_other_prefix),
    _fault(id="wp-decoy", title="WordPress' settings come from a decoy", expected="wp_config", make=_decoy),
    _fault(id="upload-missing", title="an upload is missing", expected="uploads", make=_upload_missing),
    _fault(id="upload-different", title="an upload has other bytes", expected="uploads", make=_upload_different),
    _fault(
        id="attachment-missing", title="an attachment was never archived", expected="uploads", make=_attachment_missing
    ),
    _fault(id="vhost-missing", title="a vhost is missing", expected="vhosts", make=_vhost_missing),
    _fault(id="vhost-broken", title="nginx does not accept a vhost", expected="vhosts", make=_vhost_broken),
    _fault(id="certificate-missing", title="a certificate is missing", expected="vhosts", make=_certificate_missing),
)
