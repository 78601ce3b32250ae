"""The vault's accounts: each gets exactly the privileges that stand here, and the probes look for exactly these."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from vault.settings import VaultSection

# Owns the triggers. It is locked: its privileges work only inside of them.
DEFINER = "opsctl_vault"
HOST = "localhost"

_READABLE = (
    *(
        "audit",
        "audit_log",
        "audit_archive",
        "chats",
        "participants",
        "imports",
        "import_results",
        "unparsed_lines",
        "messages",
    ),
    *("import_messages", "media", "attachments", "transcripts", "extractions", "redactions"),
)
_IMPORTED = (
    *("chats", "participants", "imports", "import_results", "unparsed_lines", "messages", "media", "attachments"),
    "import_messages",
)
_ERASED = (
    *("messages", "attachments", "media", "transcripts", "extractions", "unparsed_lines"),
    *("import_results", "imports", "participants", "chats", "redactions"),
)
_GUARDED = (*_READABLE, "audit_head")


class Role(StrEnum):
    """Who works with the vault."""

    ADMIN = "admin"
    APP = "app"
    IMPORTER = "importer"
    READER = "reader"
    ERASER = "eraser"


@dataclass(frozen=True, order=True)
class Grant:
    """A privilege on a table, or on one column of it."""

    privilege: str
    table: str
    column: str = ""

    @property
    def words(self) -> str:
        """The privilege as SQL writes it."""
        return f"{self.privilege} ({self.column})" if self.column else self.privilege


_WRITE_AUDIT = Grant("INSERT", "audit", "payload")


def _each(privilege: str, tables: tuple[str, ...]) -> tuple[Grant, ...]:
    return tuple(Grant(privilege, table) for table in tables)


GRANTS: dict[Role, tuple[Grant, ...]] = {
    Role.APP: (*_each("SELECT", _READABLE), _WRITE_AUDIT),
    Role.READER: _each("SELECT", _READABLE),
    Role.IMPORTER: (
        *_each("SELECT", _READABLE),
        *_each("INSERT", _IMPORTED),
        _WRITE_AUDIT,
    ),
    Role.ERASER: (
        *_each("SELECT", _READABLE),
        *_each("DELETE", _ERASED),
        Grant("INSERT", "redactions"),
        _WRITE_AUDIT,
    ),
}
DEFINER_GRANTS = (
    *_each("TRIGGER", _GUARDED),
    *_each("SELECT", _GUARDED),
    *_each("UPDATE", ("audit", "audit_head")),
)


def grant_statements(database: str, user: str, given: tuple[Grant, ...]) -> Iterator[str]:
    """The statements that give an account its privileges, one for each table."""
    for table in sorted({grant.table for grant in given}):
        words = ", ".join(grant.words for grant in given if grant.table == table)
        yield f"GRANT {words} ON `{database}`.`{table}` TO {account(user)}"


def account(user: str) -> str:
    """An account as SQL names it."""
    return f"`{user}`@`{HOST}`"


def user_of(settings: VaultSection, role: Role) -> tuple[str, Path | None]:
    """A role's account and the file with its password; None for unix_socket authentication."""
    return getattr(settings, f"{role.value}_user"), getattr(settings, f"{role.value}_password_file")


def grants(settings: VaultSection) -> Iterator[tuple[str, tuple[Grant, ...]]]:
    """Every account of the vault with all that it may do."""
    yield DEFINER, DEFINER_GRANTS
    for role, given in GRANTS.items():
        yield user_of(settings, role)[0], given
