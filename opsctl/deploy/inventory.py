"""The inventory of a customer: hosts, sites, who may come in, who is responsible. A file of the operator's machine."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_settings import SettingsConfigDict

from opsctl.core.errors import SettingsError
from opsctl.core.section import Section
from opsctl.core.settings import FileSettings, load
from opsctl.stack.settings import Slug

Domain = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}$", max_length=253),
]
# A Linux account, a database account and a database bear a site's name.
SiteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Network = Annotated[str, StringConstraints(pattern=r"^[0-9a-f.:]+(/[0-9]{1,3})?$")]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-ed25519|ecdsa-sha2-\S+|sk-ssh-\S+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$")
]


class OwnerSection(Section):
    """Whose stack it is and where its data may be."""

    name: Slug = Field(description="Name of the stack.", examples=["acme"])
    region: str = Field(description="Where the hosts are.", examples=["de-fsn1"])
    residency: str = Field(description="Where the data may be.", examples=["EU"])


class ContactsSection(Section):
    """Whom to write to."""

    security: str = Field(
        description="Where vulnerabilities are reported: security.txt names it.",
        examples=["mailto:security@acme.example"],
        pattern=r"^(mailto:|https://)\S+$",
    )
    security_expires: str = Field(
        description="When the security.txt ends (RFC 9116 asks for at most a year).",
        examples=["2027-06-30T00:00:00Z"],
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$",
    )


class AccessSection(Section):
    """Who comes in, and from where."""

    user: SiteName = Field("ops", description="The one account that people and deployments use.")
    keys: tuple[PublicKey, ...] = Field(
        description="Public keys that open it.", examples=[["ssh-ed25519 AAAAC3Nza… operator"]], min_length=1
    )
    ssh_from: tuple[Network, ...] = Field(
        (), description="Networks that may reach SSH; everybody when there are none.", examples=[["198.51.100.0/24"]]
    )


class HostSection(Section):
    """One VPS."""

    name: Slug = Field(description="Name of the host.", examples=["web1"])
    address: str = Field(description="Where SSH reaches it.", examples=["203.0.113.5"], min_length=1)
    port: int = Field(22, description="Its SSH port.", ge=1, le=65535)
    host_key: PublicKey = Field(
        description="Its public key; no other is believed.", examples=["ssh-ed25519 AAAAC3Nza…"]
    )
    key_file: Path = Field(description="The private key that opens the account.", examples=["/etc/opsctl/ops_key"])
    timeout_s: float = Field(30, description="Seconds that it may take to answer.", gt=0)


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


class Inventory(FileSettings):
    """A customer's inventory, `stacks/<name>.toml`."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="OPSCTL_INVENTORY_")

    stack: OwnerSection
    contacts: ContactsSection
    access: AccessSection
    hosts: tuple[HostSection, ...] = Field(min_length=1)
    sites: tuple[SitePlan, ...] = ()

    @model_validator(mode="after")
    def _names_are_right(self) -> "Inventory":
        hosts = [host.name for host in self.hosts]
        for what, names in (
            ("host", hosts),
            ("site", [site.name for site in self.sites]),
            ("domain", [domain for site in self.sites for domain in site.domains]),
        ):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two of one name: {what} {', '.join(sorted(twice))}")
        if unknown := {site.host for site in self.sites} - set(hosts):
            raise ValueError(f"sites lie on hosts that are not there: {', '.join(sorted(unknown))}")
        return self

    def host(self, name: str) -> HostSection:
        """The host of that name. Raises SettingsError."""
        for host in self.hosts:
            if host.name == name:
                return host
        known = ", ".join(host.name for host in self.hosts)
        raise SettingsError(f"the inventory has no host '{name}'", hint=f"there are: {known}")

    def sites_of(self, host: HostSection) -> tuple[SitePlan, ...]:
        """The sites on a host."""
        return tuple(site for site in self.sites if site.host == host.name)


def load_inventory(path: Path) -> Inventory:
    """Read and validate an inventory. Raises SettingsError that lists every mistake."""
    if not path.exists():
        raise SettingsError("there is no such inventory", where=str(path), hint="how it is written: docs/deploy.md")
    return load(Inventory, path).settings
