"""The throwaway customer's CRM, of the CodeIgniter kind: leads, cards, calls, invoices, one encrypted column."""

from collections.abc import Sequence

from pydantic import BaseModel

from opsctl.overview.demo.database import connect, run_script
from opsctl.overview.demo.layout import Layout
from opsctl.overview.demo.php import run_php
from opsctl.overview.demo.size import DemoSize

CONFIG = "/srv/crm/application/config/app-config.php"

# A name that stands in the table of leads, and, since that table is encrypted, nowhere on disk.
SENTINEL = "Sentinel Works of Kolhapur"

# What stands encrypted in the bank_account of lead 1.
KNOWN_VALUE = "IN00OPSC0000000001"
KNOWN_VALUE_QUERY = "SELECT bank_account FROM crm.tblleads WHERE id = 1"

_FILLER_ROW_BYTES = 980


class _Answer(BaseModel):
    encrypted: int
    decrypted: dict[int, str | None]


def fill_crm(layout: Layout, size: DemoSize) -> None:
    """Create the CRM's tables and fill them; bank accounts are encrypted by PHP with the site's own key."""
    with connect(layout, database="crm") as connection:
        run_script(connection, "crm_schema.sql")
        variables: dict[str, str | int | None] = {
            "leads": size.leads,
            "cards": size.cards,
            "calls": size.calls,
            "invoices": size.invoices,
            "sentinel": SENTINEL,
        }
        run_script(connection, "crm_rows.sql", variables)
        if size.filler_bytes:
            run_script(connection, "filler.sql", {"rows": size.filler_bytes // _FILLER_ROW_BYTES})
    encrypt_accounts(layout)


def work_in_crm(layout: Layout, *, amount: int, round_number: int) -> None:
    """Add leads, calls and sessions, move cards, settle invoices, and add a column to a table."""
    with connect(layout, database="crm") as connection:
        run_script(connection, "crm_more.sql", {"amount": amount, "round": round_number})
    encrypt_accounts(layout)


def encrypt_accounts(layout: Layout) -> int:
    """Give each lead without one a bank account, encrypted; return how many."""
    return _ask(layout, encrypt=True, decrypt=()).encrypted


def decrypt_accounts(layout: Layout, leads: Sequence[int]) -> dict[int, str | None]:
    """Decrypt bank accounts as the CRM itself does; None for one that the key does not fit."""
    return _ask(layout, encrypt=False, decrypt=leads).decrypted


def _ask(layout: Layout, *, encrypt: bool, decrypt: Sequence[int]) -> _Answer:
    wanted = {"config": CONFIG, "encrypt": encrypt, "decrypt": list(decrypt)}
    return _Answer.model_validate_json(run_php(layout, "crm.php", wanted))
