"""Settings of what a stack consists of."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from opsctl.core.section import Section

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class StackSection(Section):
    """The customer's stack."""

    name: Slug = Field(description="Name of the stack; the first part of every key in a repository.", examples=["acme"])
    root: Path = Field(
        Path("/"), description="Where the host's file system lies; paths of sites, nginx and keys are seen from there."
    )


class DatabaseSection(Section):
    """The MariaDB server. Passwords stand in files of mode 0600, never here."""

    socket: Path = Field(Path("/run/mysqld/mysqld.sock"), description="Its Unix socket, as this machine sees it.")
    backup_user: str = Field("opsctl_backup", description="Account that takes backups (opsctl init prints its SQL).")
    backup_password_file: Path | None = Field(
        None, description="File with its password; leave out for unix_socket authentication."
    )
    ship_user: str = Field("opsctl_ship", description="Account that ships binary logs and writes the heartbeat only.")
    ship_password_file: Path | None = Field(None, description="File with its password.")
    export_user: str | None = Field(
        None,
        description="Account that makes logical exports, such as opsctl_export, and reads every row.",
    )
    export_password_file: Path | None = Field(None, description="File with its password.")
    watch_user: str | None = Field(
        None,
        description="Account that measures for the rules, such as opsctl_watch: it reads, and changes nothing.",
    )
    watch_password_file: Path | None = Field(None, description="File with its password.")
    config_paths: tuple[Path, ...] = Field(
        (Path("/etc/mysql"),), description="The server's configuration: files and directories, seen from stack.root."
    )


class KnownValue(Section):
    """A value that only the site's own key decrypts; the drill decrypts it from the restored database."""

    query: str = Field(description="SQL that returns one row with one encrypted value.")
    sha256: str = Field(description="SHA-256 of what it decrypts to, in hexadecimal.", pattern=r"^[0-9a-f]{64}$")


class SiteSection(Section):
    """One site. All paths are seen from stack.root."""

    name: Slug = Field(description="Name of the site; part of the name of its archive.", examples=["blog"])
    kind: Literal["wordpress", "codeigniter", "static", "python"] = Field(description="What runs there.")
    paths: tuple[Path, ...] = Field(
        description="Everything of the site: code, content, uploads, configuration.",
        examples=[["/var/www/blog"]],
        min_length=1,
    )
    exclude: tuple[str, ...] = Field(
        (), description="Patterns (fnmatch, on the absolute path) of what is not worth keeping, such as caches."
    )
    secret_files: tuple[Path, ...] = Field(
        (), description="Files with secrets (wp-config.php, .env, app-config.php): they go into the keys archive only."
    )
    config: Path | None = Field(None, description="The file from which WordPress or CodeIgniter takes its settings.")
    code: Path | None = Field(None, description="WordPress: the directory with wp-load.php, if not where config is.")
    http_host: str | None = Field(None, description="Host name under which the site is asked for (it picks configs).")
    uploads: Path | None = Field(None, description="Directory of the uploads; they are counted and compared.")
    known_value: KnownValue | None = Field(None, description="Proves that the restored key is the right one.")


class NginxSection(Section):
    """The web server."""

    config: Path = Field(Path("/etc/nginx/nginx.conf"), description="Its main file, seen from stack.root.")
    paths: tuple[Path, ...] = Field(
        (Path("/etc/nginx"),),
        description="Configuration and certificates to back up; private keys found there go into the keys archive.",
    )
    enabled: bool = Field(True, description="Whether this stack has a web server.")
