"""Jobs: what a schedule runs, as words of a command line, and the record that each has to leave behind."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Job(BaseModel):
    """One entry of the job table.

    `argv` are the words after `opsctl`; a job is never a function, so that what a schedule runs can be typed by hand.
    `calendar` is in the format of systemd.time(7), in UTC. A run that leaves no record of kind `expects` has failed,
    whatever its exit code.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Slug
    argv: tuple[str, ...] = Field(min_length=1)
    calendar: str = Field(min_length=1)
    runs_on: Literal["host", "drill_host", "operator"]
    timeout_s: float = Field(gt=0)
    expects: str = Field(min_length=1)
