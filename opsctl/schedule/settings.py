"""Settings of what runs when."""

from pydantic import Field, field_validator

from opsctl.core.errors import SettingsError
from opsctl.core.job import Slug
from opsctl.core.section import Section
from opsctl.schedule import calendar


class ScheduleSection(Section):
    """Jobs that run by themselves: `opsctl schedule list` shows them. What differs for one is in [[jobs]]."""

    user: str = Field("root", description="Unix user that jobs run as, unless [[jobs]] names another.", min_length=1)


class JobSection(Section):
    """What is different for one job of `opsctl schedule list`."""

    name: Slug = Field(description="The job's name.", examples=["backup"])
    enabled: bool = Field(True, description="Whether it runs by itself.")
    calendar: str | None = Field(
        None,
        description="When it runs, in UTC, in the format of systemd.time(7); several after semicolons.",
        examples=["*-*-* 02:00:00"],
    )
    timeout_s: float | None = Field(None, description="Seconds after which a run is stopped.", gt=0, examples=[7200])
    delay_s: float | None = Field(
        None, description="Seconds by which a start is put off at most, at random.", ge=0, examples=[300]
    )
    user: str | None = Field(None, description="Unix user that it runs as.", min_length=1, examples=["opsctl"])

    @field_validator("calendar")
    @classmethod
    def _is_understood(cls, text: str | None) -> str | None:
        if text is not None:
            try:
                calendar.parse(text)
            except SettingsError as error:
                raise ValueError(error.message) from error
        return text
