"""Settings of the vault."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from opsctl.core.section import Section

# Plain words only: they stand in SQL where no value can stand.
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,31}$")]


class VaultSection(Section):
    """The vault: its database (on the server of [database]), the accounts that use it, and where media lie."""

    database: Word = Field("vault", description="Name of the vault's database.")
    admin_user: Word = Field("root", description="Account that makes and changes the schema; nothing else uses it.")
    admin_password_file: Path | None = Field(None, description="File with its password; not for unix_socket.")
    app_user: Word = Field("vault_app", description="Account of applications: reads, and writes audit payloads.")
    app_password_file: Path | None = Field(
        None, description="File with its password; leave out for unix_socket authentication."
    )
    importer_user: Word = Field("vault_importer", description="Account that imports.")
    importer_password_file: Path | None = Field(None, description="File with its password.")
    reader_user: Word = Field("vault_reader", description="Account that reads and verifies.")
    reader_password_file: Path | None = Field(None, description="File with its password.")
    eraser_user: Word = Field("vault_eraser", description="Account that redacts and erases.")
    eraser_password_file: Path | None = Field(None, description="File with its password.")
    media_dir: Path = Field(Path("/var/lib/opsctl/media"), description="Where media lie, each under its SHA-256.")
    parallel: int = Field(2, description="Processes of a full verification.", ge=1, le=64)
    statement_timeout_s: float = Field(3600, description="Longest time in seconds for one SQL statement.", gt=0)
