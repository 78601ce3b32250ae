"""What nginx includes for maintenance. It ends by nginx's own clock: no daemon, timer or opsctl has to be alive.

The variable `$opsctl_maintenance` is not empty while there is maintenance, for visitors who are not let through. It is
made from `$msec`, the seconds since 1970 whatever the time zone, by a regular expression for "less than".
"""

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from opsctl.health.state import Maintenance

HTTP_FILE = "http.conf"
SERVER_FILE = "server.conf"
# What `opsctl deploy` writes; a pattern, so that it may be missing.
HEADERS = "/etc/nginx/snippets/opsctl-headers*.conf"
VARIABLE = "$opsctl_maintenance"
# No status of HTTP: so that 503 of the site's own (a limit, an upstream) does not get the page of maintenance.
_INTERNAL = 598

# A page brings its styles along, and may show pictures from elsewhere.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; font-src https: data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_HEAD = "# Written by `opsctl maintenance`; do not edit. To be included in {where}.\n"
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Maintenance</title>
<style>body{{font:1.2em/1.5 sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}}</style>
<h1>We are working on this site.</h1>
<p>It will be back by <time datetime="{iso}">{words} UTC</time>. Nothing you have here is lost.</p>
</html>
"""


def http_snippet(maintenance: Maintenance | None) -> str:
    """What belongs into `http { }`: the variable, empty when there is no maintenance."""
    head = _HEAD.format(where="http { }")
    if maintenance is None:
        return f'{head}map $msec {VARIABLE} {{\n    default "";\n}}\n'
    through = "".join(f"    {each} 0;\n" for each in maintenance.allow)
    # Whoever renews a certificate meanwhile (RFC 8555, http-01) is let through.
    return (
        f"{head}geo $opsctl_visitor {{\n    default 1;\n{through}}}\n"
        'map $request_uri $opsctl_renewal {\n    default 0;\n    "~^/\\.well-known/acme-challenge/" 1;\n}\n'
        f'map "$opsctl_visitor$opsctl_renewal:$msec" {VARIABLE} {{\n    default "";\n'
        f'    "~^10:{before(maintenance.until)}\\." 1;\n}}\n'
    )


def server_snippet(maintenance: Maintenance | None, page: str | None) -> str:
    """What belongs into each `server { }`: the answer. `page` is HTML of one's own."""
    head = _HEAD.format(where="each server { }")
    if maintenance is None:
        return head
    retry = format_datetime(maintenance.until.astimezone(UTC), usegmt=True)
    return (
        f"{head}if ({VARIABLE}) {{\n    return {_INTERNAL};\n}}\n"
        f"error_page {_INTERNAL} =503 @opsctl_maintenance;\n"
        "location @opsctl_maintenance {\n"
        '    types { }\n    default_type "text/html; charset=utf-8";\n'
        # Headers of its own take from it those of the server: where there is a file of them, it is read here, too.
        f"    include {HEADERS};\n"
        f'    add_header Content-Security-Policy "{_POLICY}" always;\n'
        f'    add_header Retry-After "{retry}" always;\n'
        '    add_header Cache-Control "no-store" always;\n'
        f"    return 503 {_quoted(page or own_page(maintenance.until))};\n}}\n"
    )


def own_page(until: datetime) -> str:
    """The page for visitors who are not given another one."""
    return _PAGE.format(iso=html.escape(until.isoformat()), words=f"{until.astimezone(UTC):%H:%M on %-d %B %Y}")


def before(moment: datetime) -> str:
    """A regular expression for the whole seconds since 1970 that are less than a moment's, of as many digits."""
    digits = str(int(moment.timestamp()))
    parts: Sequence[str] = [
        f"{digits[:place]}[0-{int(digit) - 1}][0-9]{{{len(digits) - place - 1}}}"
        for place, digit in enumerate(digits)
        if digit != "0"
    ]
    return f"(?:{'|'.join(parts)})"


def _quoted(text: str) -> str:
    """A word of nginx's configuration; it knows no way to write a dollar sign, HTML does."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("$", "&#36;") + '"'
