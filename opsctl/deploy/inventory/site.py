"""One site."""

import ipaddress
import re
from pathlib import PurePosixPath
from typing import Any, Literal

from pydantic import Field, model_validator

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import Domain, FileName, Network, SharedPath, SiteName, WebPath
from opsctl.stack.settings import Slug

# WordPress and most of its plugins write styles and scripts into their pages.
_POLICIES = {
    "wordpress": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: https:; font-src 'self' data:; "
    "frame-ancestors 'self'; base-uri 'self'; form-action 'self'",
}
_POLICY = "default-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
_ITSELF = ipaddress.ip_address("127.0.0.1")
_LOGINS = {"wordpress": ("/wp-login.php", "/xmlrpc.php")}


class AllowSection(Section):
    """A path that only some may see."""

    path: WebPath = Field(description="The path, with all below it.", examples=["/wp-admin"])
    networks: tuple[Network, ...] = Field(
        description="Who may; of two paths that match, the longer one decides.",
        examples=[["198.51.100.0/24"]],
        min_length=1,
    )


class SitePlan(Section):
    """One site, with a Linux account, a directory and, where it needs them, a PHP pool and a database of its own."""

    name: SiteName = Field(description="Name of the site, its account and its database.", examples=["blog"])
    kind: Literal["static", "wordpress", "codeigniter", "python"] = Field(description="What runs there.")
    host: Slug = Field(description="The host it lies on.", examples=["web1"])
    domains: tuple[Domain, ...] = Field(
        description="Its names, the main one first.", examples=[["blog.example"]], min_length=1
    )
    port: int | None = Field(None, description="Of a Python service: where it listens on 127.0.0.1.", ge=1024, le=65535)
    command: str | None = Field(
        None, description="Of a Python service: what runs it.", examples=["/srv/api/current/venv/bin/gunicorn app:app"]
    )
    socket: bool = Field(
        False,
        description="Of a Python service: systemd listens and hands the socket on (LISTEN_FDS), through restarts too.",
    )
    shared: tuple[SharedPath, ...] = Field(
        (),
        description="What outlives releases, by its path in one; a directory, which is made, ends in a slash.",
        examples=[["public/wp-content/uploads/"]],
    )
    keep: int = Field(5, description="Releases that are kept.", ge=2, le=100)
    health: str = Field("/", description="The path that says whether a release works.", pattern=r"^/[!-~]*$")
    health_below: int = Field(400, description="It works when that is answered with a status below.", ge=200, le=600)
    health_s: float = Field(15, description="Seconds within which it has to.", gt=0, le=600)
    csp: str | None = Field(
        None,
        description="Its Content-Security-Policy; by its kind when it does not say.",
        examples=["default-src 'self'; img-src *"],
        pattern=r"^[^\"\\\n$]+$",
    )
    allow: tuple[AllowSection, ...] = Field((), description="Paths that only some may see.")
    logins: tuple[WebPath, ...] | None = Field(
        None,
        description="Paths where people log in: an address has thirty tries a minute. WordPress' own are known.",
        examples=[["/login"]],
    )

    files: dict[FileName, Slug] = Field(
        {},
        description="Files in its shared directory that hold a secret, by name: `opsctl deploy secret set`.",
        examples=[{".env": "blog-env"}],
    )
    backup: dict[str, Any] = Field(
        {},
        description="What else its [[sites]] table of opsctl.toml on the host says.",
        examples=[{"config": "/srv/blog/shared/wp-config.php", "uploads": "/srv/blog/shared/uploads"}],
    )
    visit: dict[str, Any] = Field(
        {},
        description="What else its [[visits]] table says, by which health asks for it.",
        examples=[{"text": "Welcome"}],
    )

    @model_validator(mode="after")
    def _service_is_whole(self) -> "SitePlan":
        if (self.kind == "python") != (self.port is not None and self.command is not None):
            raise ValueError("a Python service, and nothing else, has a port and a command")
        if self.socket and self.kind != "python":
            raise ValueError("only a Python service has a socket of its own")
        return self

    @model_validator(mode="after")
    def _shared_lie_apart(self) -> "SitePlan":
        paths = [PurePosixPath(path) for path in self.shared]
        for path in paths:
            if any(part in (".", "..") for part in path.parts):
                raise ValueError(f"a shared path is written from the release's directory, without dots: {path}")
            if paths.count(path) > 1 or any(other in path.parents for other in paths):
                raise ValueError(f"a shared path lies in another one: {path}")
        return self

    @model_validator(mode="after")
    def _host_may_ask_for_health(self) -> "SitePlan":
        path = self.health.partition("?")[0]
        networks = next((networks for pattern, networks in self.gates if re.match(pattern, path)), None)
        if networks is not None and not any(_ITSELF in ipaddress.ip_network(each) for each in networks):
            raise ValueError(
                f"the host itself asks for {self.health}: allow {_ITSELF} there, or choose another `health`"
            )
        return self

    @property
    def home(self) -> str:
        """Its directory."""
        return f"/srv/{self.name}"

    @property
    def outliving(self) -> tuple[str, ...]:
        """What outlives releases: what is shared, and the files that hold secrets."""
        return (*self.shared, *(name for name in self.files if name not in self.shared))

    @property
    def rehearsed(self) -> bool:
        """Whether a release can be tried beside the one that is live, before it takes its place."""
        return self.kind != "python" or self.socket

    @property
    def traits(self) -> frozenset[str]:
        """What decides which files it needs."""
        return frozenset({self.kind, "socket"} if self.socket else {self.kind})

    @property
    def php(self) -> bool:
        """Whether PHP runs it."""
        return self.kind in ("wordpress", "codeigniter")

    @property
    def policy(self) -> str:
        """Its Content-Security-Policy."""
        return self.csp or _POLICIES.get(self.kind, _POLICY)

    @property
    def login_patterns(self) -> tuple[str, ...]:
        """Regular expressions of nginx for where people log in."""
        paths = _LOGINS.get(self.kind, ()) if self.logins is None else self.logins
        return tuple(self._below(path) for path in paths)

    @property
    def gates(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Regular expressions of nginx for paths that only some may see, the one that decides first, and who may."""
        longest_first = sorted(self.allow, key=lambda each: -len(each.path))
        return tuple((self._below(each.path), each.networks) for each in longest_first)

    def _below(self, path: str) -> str:
        """A path and everything below it; a PHP application takes it after the name of its one script, too."""
        if path == "/":
            return "^/"
        front = "(/index.php)?" if self.php else ""
        return f"^{front}{path}(/|$)".replace(".", "\\.")
