"""Probes of a vault: are its tables, triggers, definers and privileges still those it was made with."""

import time
from collections.abc import Callable

from opsctl.core.errors import OpsError
from opsctl.core.probe import Probe
from opsctl.core.result import Outcome, Result
from opsctl.core.runner import Runner
from vault import definitions
from vault.accounts import DEFINER, HOST
from vault.context import Vault

MOST_SHOWN = 5
Look = Callable[[Runner, Vault], list[str]]


class VaultProbe:
    """Compares one aspect of a vault with how it was made; `look` lists the differences."""

    needs_root = False

    def __init__(self, vault: Vault, name: str, title: str, expected: str, look: Look) -> None:
        self.id = name
        self._vault = vault
        self._title = title
        self._expected = expected
        self._look = look

    def run(self, host: Runner) -> Result:
        """Look."""
        started = time.monotonic()
        outcome, hint = Outcome.PASSED, None
        try:
            found = self._look(host, self._vault)
            text = "all as it was made"
            if found:
                outcome, hint = Outcome.FAILED, "find out who changed it; then: opsctl vault verify --full"
                more = f", and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
                text = "; ".join(found[:MOST_SHOWN]) + more
        except OpsError as error:
            found = []
            outcome, hint, text = Outcome.COULD_NOT_RUN, error.hint or "run: opsctl vault init", str(error)
        return Result(
            id=self.id,
            title=self._title,
            outcome=outcome,
            expected=self._expected,
            found=text,
            figures={"differences": len(found)},
            hint=hint,
            duration_s=time.monotonic() - started,
        )


def probes(vault: Vault) -> tuple[Probe, ...]:
    """All probes of a vault."""
    aspects = (
        ("tables", "the vault's tables", "every table has the definition it was made with", _tables),
        ("triggers", "the vault's triggers", "every trigger is there, as it was made, and no other", _triggers),
        ("definers", "who owns the vault's triggers", "all belong to an account that is locked", _definers),
        ("grants", "what the vault's accounts may do", "each has exactly its privileges", _grants),
    )
    return tuple(VaultProbe(vault, f"vault.{name}", title, expected, look) for name, title, expected, look in aspects)


def _tables(host: Runner, vault: Vault) -> list[str]:
    return definitions.differences(definitions.expected("tables"), definitions.tables(host, vault))


def _triggers(host: Runner, vault: Vault) -> list[str]:
    return definitions.differences(definitions.expected("triggers"), definitions.triggers(host, vault))


def _definers(host: Runner, vault: Vault) -> list[str]:
    owner = f"{DEFINER}@{HOST}"
    found = [
        f"{trigger} belongs to {definer}"
        for trigger, definer in definitions.definers(host, vault).items()
        if definer != owner
    ]
    if not definitions.definer_is_locked(host, vault, DEFINER):
        found.append(f"{owner} is not locked")
    return found


def _grants(host: Runner, vault: Vault) -> list[str]:
    expected, found = definitions.expected_privileges(vault), definitions.privileges(host, vault)
    lacking = [f"{user} lacks {privilege} on {what}" for user, privilege, what in sorted(expected - found)]
    return [*(f"{user} has {privilege} on {what}" for user, privilege, what in sorted(found - expected)), *lacking]
