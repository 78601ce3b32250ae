"""Whom the secrets beside an inventory are encrypted for, and what uses them."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field, StringConstraints

from opsctl.core.section import Section
from opsctl.deploy.inventory.site import SitePlan

Recipient = Annotated[str, StringConstraints(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


class SecretsSection(Section):
    """Who can read the secrets, which lie encrypted beside the inventory in `NAME.secrets.age`."""

    recipients: tuple[Recipient, ...] = Field(
        (),
        description="age recipients: one for each operator, and one in a safe.",
        examples=[["age1…"]],
    )


def uses_of(sites: Iterable[SitePlan]) -> dict[str, list[str]]:
    """The names of secrets that files of sites hold, with those files: `blog: .env`."""
    uses: dict[str, list[str]] = {}
    for site in sites:
        for file, name in site.files.items():
            uses.setdefault(name, []).append(f"{site.name}: {file}")
    return uses
