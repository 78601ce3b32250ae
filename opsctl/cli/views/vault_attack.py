"""Answer of `opsctl vault attack-test`."""

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import BaseModel

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import WIDTH, wrap
from opsctl.cli.words import printable
from vault.attack.play import Defence, Played


class AttackRow(BaseModel):
    """An attack, what stopped or found it, what that said, and what was to be expected."""

    id: str
    title: str
    by: str
    found: Defence
    said: str
    expected: Defence


class VaultAttackTest(Document):
    """Every attack; `unexpected` counts those that were stopped or found by something else than they should."""

    kind: Literal["vault-attack-test"] = "vault-attack-test"
    attacks: tuple[AttackRow, ...]
    unexpected: int


_STYLES = {Defence.NONE: "yellow", Defence.APPENDED: "yellow", Defence.CHECKPOINT: "cyan"}


def played(results: Iterable[Played]) -> VaultAttackTest:
    """Collect results."""
    found = tuple(results)
    rows = tuple(
        AttackRow(
            id=each.attack.id,
            title=each.attack.title,
            by=each.attack.by,
            found=each.found,
            said=each.said,
            expected=each.attack.expected,
        )
        for each in found
    )
    return VaultAttackTest(attacks=rows, unexpected=sum(not each.as_expected for each in found))


def attack_text(document: VaultAttackTest, paint: Painter) -> Iterator[str]:
    """Write each attack with what came of it, and what they come to."""
    for row in document.attacks:
        right = row.found is row.expected
        yield f"{row.by}: {paint(row.title, 'bold')}"
        yield f"    {paint(row.found.value, _STYLES.get(row.found, 'green') if right else 'red')}"
        if not right:
            yield f"    expected: {row.expected.value}"
        for line in wrap(printable(row.said), WIDTH - 4):
            yield f"    {paint(line, 'dim')}"
    blind = sum(row.found is Defence.NONE for row in document.attacks)
    yield f"{len(document.attacks)} attacks; {blind} that nothing sees until the next checkpoint is off the box."
    if document.unexpected:
        yield paint(f"{document.unexpected} did not end as they should.", "red")
