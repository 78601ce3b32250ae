"""Records: what a run proved, with the date on which it stops being fresh."""

from datetime import datetime
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue

from opsctl.core.result import Outcome

Body = TypeVar("Body", bound=BaseModel)


class Record(BaseModel, Generic[Body]):
    """One thing that a run proved about a subject (a stack, a host); all times are UTC.

    `kind` names the type of `body` (`backup`, `shipment`, `drill`, `verification`), `version` its schema. After
    `fresh_until` the record is history and proves nothing about today.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    version: int
    subject: str
    started: datetime
    finished: datetime
    outcome: Outcome
    fresh_until: datetime | None
    body: Body


class AnyBody(BaseModel):
    """A record's body as it was stored, for readers that do not know its kind."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, JsonValue]
