"""The base of every settings section."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of `opsctl.toml`: frozen, and an unknown key in it is an error.

    Every field has a description; with its default or example it makes the generated settings file and the
    documentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
