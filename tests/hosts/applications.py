"""An operator who releases applications of every kind onto a host: each shows a text, and says whether it works."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.core.ledger import Ledger
from opsctl.core.progress import Silent
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.releases.model import Release, ReleaseBody
from opsctl.deploy.releases.run import Order, list_releases, release, rollback, site_of
from opsctl.overview import wire
from opsctl.settings import load_settings
from tests.hosts.operators import Operator

INVENTORY = """
[defaults.site]
host = "web1"
keep = 3

[[sites]]
name = "brochure"
kind = "static"
domains = ["brochure.example"]
health = "/health.html"

[[sites]]
name = "blog"
kind = "wordpress"
domains = ["blog.example"]
shared = ["public/wp-content/uploads/", ".env"]
health = "/health.php"

[[sites]]
name = "wsgi"
kind = "python"
domains = ["wsgi.example"]
port = 8101
socket = true
command = "/usr/bin/gunicorn --workers 2 app:app"
health = "/health"

[[sites]]
name = "asgi"
kind = "python"
domains = ["asgi.example"]
port = 8102
socket = true
command = "/usr/bin/uvicorn --fd 3 app:app"
health = "/health"

[[sites]]
name = "alone"
kind = "python"
domains = ["alone.example"]
port = 8103
command = "/usr/bin/python3 app.py"
health = "/health"
"""
SITES = ("brochure", "blog", "wsgi", "asgi")
WSGI = """
def app(environ, start):
    bad = environ["PATH_INFO"] == "/health" and {bad!r}
    start("500 Bad" if bad else "200 OK", [("Content-Type", "text/plain")])
    return [b"{text}"]
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    bad = scope["path"] == "/health" and {bad!r}
    await send({{"type": "http.response.start", "status": 500 if bad else 200}})
    await send({{"type": "http.response.body", "body": b"{text}"}})
"""
ALONE = """
import http.server

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if self.path == "/health" and {bad!r} else 200)
        self.end_headers()
        self.wfile.write(b"{text}")

http.server.ThreadingHTTPServer(("127.0.0.1", 8103), Page).serve_forever()
"""


@dataclass(frozen=True)
class Releaser(Operator):
    """An operator with applications."""

    def deploy(self, user: str = "ops") -> None:
        """Make the host what the inventory says."""
        self.plan("--as", user)
        self.apply()

    def recorded(self) -> str:
        """What the newest record of a release says came of it."""
        *_, newest = self.ledger.query("release")
        return newest.record_of(ReleaseBody).body.result

    def order(self, site: str, **changes: Any) -> Order:
        found = load_inventory(self.inventory, ())
        return Order(found, site_of(found, site).model_copy(update=changes), Who("operator", "here"), "a test")

    @property
    def ledger(self) -> Ledger:
        return wire.ledger(load_settings(self.directory / "opsctl.toml").settings)

    def release(self, site: str, directory: Path, **changes: Any) -> str:
        """Release what has to work, by an inventory that says something else of the site; return its name."""
        return str(release(self.order(site, **changes), directory, self.ledger, Silent()).release)

    def rollback(self, site: str, to: str | None = None) -> str:
        """Go back, and return the name of what is live then."""
        return str(rollback(self.order(site), to, self.ledger).release)

    def releases(self, site: str) -> list[Release]:
        """The releases of a site, the oldest first."""
        [found] = list_releases(load_inventory(self.inventory, ()), site)
        assert found.error is None
        return list(found.releases)

    def application(self, site: str, text: str, *, bad: bool = False, more: Mapping[str, str] | None = None) -> Path:
        """An application that shows a text; a bad one does not pass its health check."""
        directory = self.directory / f"{site}-{text}"
        files = {
            "brochure": {"public/index.html": text, **({} if bad else {"public/health.html": "fine"})},
            "blog": {
                "public/index.php": f"<?php echo '{text}';",
                "public/health.php": "<?php http_response_code(500);" if bad else "<?php echo 'fine';",
            },
            "wsgi": {"app.py": WSGI.format(text=text, bad=bad)},
            "alone": {"app.py": ALONE.format(text=text, bad=bad)},
            "asgi": {"app.py": ASGI.format(text=text, bad=bad)},
        }[site]
        for name, content in {**files, **(more or {})}.items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return directory
