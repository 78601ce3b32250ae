"""The whole inventory: hosts, sites, who may come in, who is responsible. A file of the operator's machine."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from opsctl.core.errors import SettingsError
from opsctl.core.section import Section
from opsctl.core.settings import FileSettings, load
from opsctl.deploy.inventory.certificates import CertificatesSection
from opsctl.deploy.inventory.clock import TimeSection
from opsctl.deploy.inventory.edge import EdgeSection
from opsctl.deploy.inventory.host import HostSection
from opsctl.deploy.inventory.logs import LogsSection, sources
from opsctl.deploy.inventory.opsctl import OpsctlSection, RecipientsSection, RepositoryPlan
from opsctl.deploy.inventory.people import AccessSection, ContactsSection, OwnerSection
from opsctl.deploy.inventory.secrets import SecretsSection
from opsctl.deploy.inventory.site import SitePlan
from opsctl.deploy.secrets import SecretsFile


class DefaultsSection(Section):
    """What holds for every host and every site that does not say otherwise."""

    host: dict[str, Any] = Field({}, description="Keys of [[hosts]].", examples=[{"port": 2222}])
    site: dict[str, Any] = Field({}, description="Keys of [[sites]].", examples=[{"host": "web1"}])


class Inventory(FileSettings):
    """A customer's inventory, `stacks/<name>.toml`."""

    CALLED: ClassVar[str] = "inventory"
    EXPLAINED: ClassVar[str] = "an example of each part: docs/deploy.md"

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="OPSCTL_INVENTORY_")

    stack: OwnerSection
    contacts: ContactsSection
    access: AccessSection
    hosts: tuple[HostSection, ...] = Field(min_length=1)
    sites: tuple[SitePlan, ...] = ()
    edge: EdgeSection | None = None
    certificates: CertificatesSection | None = None
    time: TimeSection = TimeSection()
    logs: LogsSection | None = None
    secrets: SecretsSection = SecretsSection()
    opsctl: OpsctlSection | None = None
    recipients: RecipientsSection | None = None
    repositories: tuple[RepositoryPlan, ...] = ()
    defaults: DefaultsSection = DefaultsSection()
    _origin: Path | None = PrivateAttr(None)
    _identity_files: tuple[Path, ...] = PrivateAttr(())
    _ask: Callable[[str], SecretStr] | None = PrivateAttr(None)

    def opened_by(self, origin: Path, identity_files: tuple[Path, ...]) -> Self:
        """Say where the inventory lies, and what opens the secrets beside it."""
        self._origin, self._identity_files = origin.absolute(), identity_files
        return self

    def asking(self, ask: Callable[[str], SecretStr]) -> Self:
        """The same inventory, whose secrets are asked for in another way."""
        other = self.model_copy()
        other._ask = ask
        return other

    def secret(self, name: str) -> SecretStr:
        """A secret. Raises SettingsError for one that is not there, AuthError, IntegrityError."""
        return self._ask(name) if self._ask is not None else self.secrets_file.get(name)

    @property
    def origin(self) -> Path | None:
        """Where it lies."""
        return self._origin

    @property
    def secrets_file(self) -> SecretsFile:
        """The secrets beside it. Raises SettingsError for an inventory that lies nowhere."""
        if self._origin is None:
            raise SettingsError("an inventory that lies nowhere has no secrets")
        return SecretsFile(self._origin, self.secrets.recipients, self._identity_files)

    @model_validator(mode="before")
    @classmethod
    def _defaults_hold(cls, tables: dict[str, Any]) -> dict[str, Any]:
        """Lay each host's and site's own keys over the defaults; what is no table is left for the fields to refuse."""
        defaults = tables.get("defaults")
        if not isinstance(defaults, Mapping):
            return tables
        filled = dict(tables)
        for kind, section in (("host", "hosts"), ("site", "sites")):
            below, entries = defaults.get(kind), tables.get(section)
            if isinstance(below, Mapping) and isinstance(entries, list):
                filled[section] = [{**below, **each} if isinstance(each, Mapping) else each for each in entries]
        return filled

    @model_validator(mode="after")
    def _names_are_right(self) -> "Inventory":
        hosts = [host.name for host in self.hosts]
        for what, names in (
            ("host", hosts),
            ("site", [site.name for site in self.sites]),
            ("repository", ["local", *(each.name for each in self.repositories)]),
            ("domain", [domain for site in self.sites for domain in site.domains]),
        ):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"two of one name: {what} {', '.join(sorted(twice))}")
        if (self.opsctl is None) != (self.recipients is None):
            raise ValueError("opsctl on the hosts backs them up: it takes both [opsctl] and [recipients]")
        if unknown := {site.host for site in self.sites} - set(hosts):
            raise ValueError(f"sites lie on hosts that are not there: {', '.join(sorted(unknown))}")
        return self

    @model_validator(mode="after")
    def _logs_stay_in_the_region(self) -> "Inventory":
        if self.logs is None:
            return self
        keeper = next((host for host in self.hosts if host.name == self.logs.host), None)
        if keeper is None:
            raise ValueError(f"the logs are kept on a host that is not there: {self.logs.host}")
        if keeper.region not in (None, self.stack.region):
            where = f"'{keeper.name}' is in {keeper.region}, the stack in {self.stack.region}"
            raise ValueError(f"the logs would leave the region: {where}")
        sources(self.logs, self.hosts)
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


def load_inventory(path: Path, identity_files: tuple[Path, ...]) -> Inventory:
    """Read and validate an inventory; `identity_files` open its secrets. Raises SettingsError with every mistake."""
    if not path.exists():
        raise SettingsError("there is no such inventory", where=str(path), hint="how it is written: docs/deploy.md")
    return load(Inventory, path).settings.opened_by(path, identity_files)
