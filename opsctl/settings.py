"""All settings: what each domain owns, put together into one file."""

from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from anomaly_rules.settings import AnomaliesSection, SourceSection
from anomaly_rules.spec import RuleSpec
from backup.settings import (
    BackupSection,
    BinlogSection,
    CopySection,
    DirectoryRepository,
    ObjectivesSection,
    Repository,
    RetentionSection,
)
from opsctl.core.errors import SettingsError
from opsctl.core.machine import MachineSection, TrustSection
from opsctl.core.notify.settings import ChannelSection, NotifySection
from opsctl.core.section import Section
from opsctl.core.settings import ENV_DELIMITER, ENV_PREFIX, FileSettings, Loaded, find, load
from opsctl.core.settings_example import example, render
from opsctl.deploy.settings import DeploySection
from opsctl.health.settings import (
    HealthSection,
    MaintenanceSection,
    QueueSection,
    RecoverySection,
    TimerSection,
    VisitSection,
)
from opsctl.schedule.settings import JobSection, ScheduleSection
from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection, StackSection
from restore_drill.settings import DrillSection
from vault.settings import VaultSection

Kind = TypeVar("Kind", bound=Section)

HEADING = (
    "Settings of opsctl. A key that is commented out shows its default.",
    "Passwords and keys never stand here, only the paths of files (mode 0600) that hold them.",
    "The environment overrides: OPSCTL_DATABASE__SOCKET=/run/mysqld/mysqld.sock",
)


class Settings(FileSettings):
    """Everything `opsctl.toml` may say. Which sections there must be depends on the command."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter=ENV_DELIMITER
    )

    stack: StackSection
    machine: MachineSection = MachineSection()
    trust: TrustSection
    repositories: tuple[Repository, ...] = Field((), description="Where archives live, the local repository first.")
    objectives: ObjectivesSection = ObjectivesSection()
    database: DatabaseSection | None = None
    sites: tuple[SiteSection, ...] = Field((), description="The sites of the stack, one table each.")
    nginx: NginxSection = NginxSection()
    backup: BackupSection | None = None
    binlog: BinlogSection = BinlogSection()
    copies: CopySection = CopySection()
    retention: RetentionSection = RetentionSection()
    drill: DrillSection | None = None
    vault: VaultSection | None = None
    anomalies: AnomaliesSection = AnomaliesSection()
    rules: tuple[RuleSpec, ...] = Field(
        (), description="Rules of your own over measurements; one with the name of a shipped rule replaces it."
    )
    sources: tuple[SourceSection, ...] = Field(
        (),
        description="What else is measured for the rules: the customer's own tables, queues and bills, a table each.",
    )
    notify: NotifySection = NotifySection()
    health: HealthSection = HealthSection()
    visits: tuple[VisitSection, ...] = Field((), description="What health asks for as a visitor does, one table each.")
    queues: tuple[QueueSection, ...] = Field((), description="Queues that health measures by SQL, one table each.")
    timers: tuple[TimerSection, ...] = Field((), description="Timers that have to have run, one table each.")
    recoveries: tuple[RecoverySection, ...] = Field(
        (), description="What health may restart about a check that fails, one table each."
    )
    maintenance: MaintenanceSection = MaintenanceSection()
    channels: tuple[ChannelSection, ...] = Field((), description="Ways to reach people, one table each.")
    schedule: ScheduleSection = ScheduleSection()
    deploy: DeploySection = DeploySection()
    jobs: tuple[JobSection, ...] = Field((), description="What is different for single jobs, one table each.")

    @field_validator("repositories")
    @classmethod
    def _first_is_at_hand(cls, repositories: tuple[Repository, ...], info: ValidationInfo) -> tuple[Repository, ...]:
        """A host writes to its own disk first: no network may ever hold the database's locks."""
        machine, names = info.data.get("machine"), [repository.name for repository in repositories]
        if len(set(names)) != len(names):
            raise ValueError("two repositories have one name")
        makes = isinstance(machine, MachineSection) and machine.place in {"host", "all"}
        if makes and repositories and not isinstance(repositories[0], DirectoryRepository):
            raise ValueError("on a host the first one has to be a directory; the others receive copies of it")
        return repositories

    def require_database(self) -> DatabaseSection:
        """The database's section. Raises SettingsError when there is none."""
        return _require(self.database, "database", "the host whose database it is")

    def require_backup(self) -> BackupSection:
        """The section of backups. Raises SettingsError when there is none."""
        return _require(self.backup, "backup", "the host that makes backups")

    def require_drill(self) -> DrillSection:
        """The section of drills. Raises SettingsError when there is none."""
        return _require(self.drill, "drill", "the drill host, which holds the identities")

    def require_vault(self) -> VaultSection:
        """The section of the vault. Raises SettingsError when there is none."""
        return _require(self.vault, "vault", "the host whose database has the vault")

    @property
    def local_repository(self) -> DirectoryRepository:
        """The host's own repository, the first. Raises SettingsError when there is none."""
        first = self.require_repository()
        if not isinstance(first, DirectoryRepository):
            raise SettingsError(
                f"the repository '{first.name}' is no directory of this machine",
                hint="backups are made on a host (machine.place), whose first repository is a directory",
            )
        return first

    def require_repository(self, name: str | None = None) -> Repository:
        """The repository of that name, by default the first. Raises SettingsError when there is none."""
        if not self.repositories:
            raise SettingsError(
                "the settings have no [[repositories]]",
                hint="see what belongs there: opsctl config generate",
            )
        if name is None:
            return self.repositories[0]
        for repository in self.repositories:
            if repository.name == name:
                return repository
        known = ", ".join(repository.name for repository in self.repositories)
        raise SettingsError(f"there is no repository '{name}'", hint=f"one of {known}: opsctl config show")


def _require(section: Kind | None, name: str, place: str) -> Kind:
    if section is None:
        raise SettingsError(
            f"the settings have no section [{name}], which this command needs",
            hint=f"run it on {place}; what belongs there: opsctl config generate",
        )
    return section


def load_settings(given: Path | None) -> Loaded[Settings]:
    """Find and load the settings. Raises SettingsError that lists every mistake."""
    return load(Settings, find(given))


def example_file() -> str:
    """A settings file with every key: what has to be there with an example, everything else as a comment."""
    values = {
        name: example(section)
        for name, section in (("stack", StackSection), ("trust", TrustSection), ("backup", BackupSection))
    }
    lists = {"repositories": [example(DirectoryRepository)]}
    return render(Settings, {**values, **lists, "database": {}}, heading=HEADING)
