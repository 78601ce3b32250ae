"""What a host was found to consist of."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from opsctl.stack.settings import DatabaseSection, NginxSection, SiteSection


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Puzzle(_Frozen):
    """Something that was not understood: where it is, what it is, and what a person should do. Quotes no secret."""

    where: str
    what: str
    hint: str


class Login(_Frozen):
    """How a site logs in to its database, as its configuration says."""

    user: str
    password: SecretStr
    database: str
    host: str
    prefix: str | None = None


class FoundSite(_Frozen):
    """One site. All paths are the host's own.

    `server_names`: under which the web server answers for it, as nginx has them. `login` is there when the whole of
    it was understood. `multisite`: a WordPress that is many.
    """

    name: str
    kind: Literal["wordpress", "codeigniter", "static", "python"]
    paths: tuple[Path, ...]
    exclude: tuple[str, ...] = ()
    secret_files: tuple[Path, ...] = ()
    config: Path | None = None
    code: Path | None = None
    http_host: str | None = None
    uploads: Path | None = None
    server_names: tuple[str, ...] = ()
    login: Login | None = None
    multisite: bool = False

    def section(self) -> SiteSection:
        """The site as settings have it."""
        return SiteSection(
            name=self.name,
            kind=self.kind,
            paths=self.paths,
            exclude=self.exclude,
            secret_files=self.secret_files,
            config=self.config,
            code=self.code,
            http_host=self.http_host,
            uploads=self.uploads,
        )


class FoundNginx(_Frozen):
    """The web server: its main file, all files of its configuration, what it answers for, certificates and keys.

    `certificates` and `private_keys` are as the configuration names them; `paths` is what to back up.
    """

    config: Path
    paths: tuple[Path, ...]
    files: tuple[Path, ...]
    server_names: tuple[str, ...]
    certificates: tuple[Path, ...]
    private_keys: tuple[Path, ...]

    def section(self) -> NginxSection:
        """The web server as settings have it."""
        return NginxSection(config=self.config, paths=self.paths)


class FoundMariadb(_Frozen):
    """The database server, by its option files in the order in which it reads them.

    `options` is what is in force for the places a backup needs; `key_files` are those of file_key_management.
    """

    option_files: tuple[Path, ...]
    config_paths: tuple[Path, ...]
    socket: Path
    datadir: Path
    log_bin: str | None
    key_plugin: str | None
    key_files: tuple[Path, ...]

    def section(self, root: Path) -> DatabaseSection:
        """The database as settings have it; its socket as this machine sees it."""
        return DatabaseSection(socket=root / self.socket.relative_to("/"), config_paths=self.config_paths)


class Found(_Frozen):
    """A host's stack."""

    root: Path
    sites: tuple[FoundSite, ...]
    nginx: FoundNginx | None
    mariadb: FoundMariadb | None
    not_understood: tuple[Puzzle, ...]
