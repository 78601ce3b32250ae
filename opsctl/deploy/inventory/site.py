"""One site."""

from typing import Literal

from pydantic import Field, model_validator

from opsctl.core.section import Section
from opsctl.deploy.inventory.words import Domain, SiteName
from opsctl.stack.settings import Slug


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
    csp: str = Field(
        "default-src 'self'; frame-ancestors 'self'; base-uri 'self'; form-action 'self'",
        description="Its Content-Security-Policy.",
        pattern=r"^[^\"\\\n]+$",
    )

    @model_validator(mode="after")
    def _service_is_whole(self) -> "SitePlan":
        if (self.kind == "python") != (self.port is not None and self.command is not None):
            raise ValueError("a Python service, and nothing else, has a port and a command")
        return self

    @property
    def home(self) -> str:
        """Its directory."""
        return f"/srv/{self.name}"

    @property
    def docroot(self) -> str:
        """What the web server shows of it."""
        return f"{self.home}/current/public"

    @property
    def php(self) -> bool:
        """Whether PHP runs it."""
        return self.kind in ("wordpress", "codeigniter")
