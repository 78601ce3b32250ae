"""An operator who releases applications of every kind onto a host: each shows a text, and says whether it works."""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.core.ledger import Ledger
from opsctl.core.progress import Silent
from opsctl.core.signing import allowed_signers_line, create_key
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.deploy.records import Who
from opsctl.deploy.releases.model import Release, ReleaseBody
from opsctl.deploy.releases.run import Order, list_releases, release, rollback, site_of
from opsctl.overview import wire
from opsctl.settings import load_settings
from tests.hosts.host import Host

INVENTORY = """
[stack]
name = "acme"
region = "here"
residency = "EU"

[contacts]
security = "mailto:security@acme.example"
security_expires = "2027-06-30T00:00:00Z"

[access]
keys = ["{key}"]

[[hosts]]
name = "web1"
address = "{address}"
host_key = "{host_key}"
key_file = "{key_file}"

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
SETTINGS = """
[stack]
name = "acme"
[machine]
place = "operator"
state_dir = "{directory}/state"
lock_dir = "{directory}/lock"
[trust]
signer = "operator@here"
signing_key = "{directory}/key"
allowed_signers = "{directory}/allowed"
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
class Operator:
    """The operator's machine: settings, an inventory, applications."""

    directory: Path

    @classmethod
    def make(cls, directory: Path, host: Host) -> "Operator":
        """An operator for one host."""
        create_key(directory / "key", "operator@here")
        (directory / "allowed").write_text(allowed_signers_line("operator@here", directory / "key.pub"))
        (directory / "opsctl.toml").write_text(SETTINGS.format(directory=directory))
        (directory / "acme.toml").write_text(
            INVENTORY.format(
                key=(host.place / "identity.pub").read_text().strip(),
                address=host.address,
                host_key=" ".join(host.host_key.split()[:2]),
                key_file=host.identity,
            )
        )
        return cls(directory)

    @property
    def inventory(self) -> Path:
        return self.directory / "acme.toml"

    def words(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "opsctl", *map(str, words), "--json", "--config", f"{self.directory}/opsctl.toml"]

    def opsctl(self, *words: str | Path) -> tuple[int, dict[str, Any]]:
        """Run a command; return its exit code and its document."""
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    def deploy(self, user: str = "root") -> None:
        """Make the host what the inventory says."""
        assert self.opsctl("deploy", "plan", self.inventory, "--as", user, "--out", self.directory)[0] == 0
        code, document = self.opsctl("deploy", "apply", self.directory / "web1.plan.json")
        assert code == 0, document

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
