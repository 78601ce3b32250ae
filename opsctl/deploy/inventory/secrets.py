"""Whom the secrets beside an inventory are encrypted for."""

from typing import Annotated

from pydantic import Field, StringConstraints

from opsctl.core.section import Section

Recipient = Annotated[str, StringConstraints(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


class SecretsSection(Section):
    """Who can read the secrets, which lie encrypted beside the inventory in `NAME.secrets.age`."""

    recipients: tuple[Recipient, ...] = Field(
        (),
        description="age recipients: one for each operator, and one in a safe.",
        examples=[["age1…"]],
    )
