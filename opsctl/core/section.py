"""The base of every settings section."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator


class Section(BaseModel):
    """A table of `opsctl.toml`: frozen, and an unknown key in it is an error.

    Every field has a description; with its default or example it makes the generated settings file and the
    documentation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _paths_are_absolute(cls, value: object) -> object:
        """A job runs in another directory than the person who wrote the settings, and would go elsewhere."""
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path) and not path.is_absolute():
                raise ValueError("a path has to begin with /")
        return value
