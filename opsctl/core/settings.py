"""Loads a settings file into the model it is given, and says everything that is wrong with it at once.

Precedence: environment variables (`OPSCTL_DATABASE__SOCKET`), then the file, then defaults. Settings hold no secrets,
only the paths of files that do.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.exceptions import SettingsError as SourceError

from opsctl.core import failpoints
from opsctl.core.errors import SettingsError
from opsctl.core.settings_mistakes import describe, unknown_variables

ENV_PREFIX = "OPSCTL_"
ENV_DELIMITER = "__"
SEARCHED = (Path("opsctl.toml"), Path("/etc/opsctl/opsctl.toml"))

Origin = Literal["environment", "file", "default"]
Model = TypeVar("Model", bound="FileSettings")


class FileSettings(BaseSettings):
    """Base of settings whose values are given by a file (as arguments) and overridden by the environment.

    `CALLED` is what an error calls the file, `EXPLAINED` where it says what belongs there.
    """

    CALLED: ClassVar[str] = "settings file"
    EXPLAINED: ClassVar[str] = "every key with its meaning: opsctl config generate"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; there are no other sources."""
        return env_settings, init_settings


@dataclass(frozen=True)
class Loaded(Generic[Model]):
    """Settings and where they came from: the file and the tables as they stand in it."""

    settings: Model
    path: Path
    tables: Mapping[str, Any]

    def source(self, section: str, key: str) -> Origin:
        """Say where a value came from."""
        name = variable(section, key)
        if name in os.environ or variable(section) in os.environ:
            return "environment"
        table = self.tables.get(section)
        return "file" if isinstance(table, Mapping) and key in table else "default"


def variable(*parts: str) -> str:
    """The name of the environment variable that overrides a setting."""
    return ENV_PREFIX + ENV_DELIMITER.join(part.upper() for part in parts)


def find(given: Path | None) -> Path:
    """Return the settings file to use: the given one, else the first of SEARCHED that exists.

    Raises SettingsError when there is none.
    """
    for path in (given,) if given is not None else SEARCHED:
        if path.exists():
            return path.absolute()
    looked = str(given) if given is not None else " and ".join(str(path) for path in SEARCHED)
    raise SettingsError("there is no settings file", where=looked, hint="make one with: opsctl init")


def _read(model: type[FileSettings], path: Path) -> dict[str, Any]:
    """Read a TOML file into tables. Raises SettingsError with the line of a syntax error."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"the {model.CALLED} is no valid TOML: {error}", where=str(path), hint=model.EXPLAINED
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(
            f"the {model.CALLED} is no UTF-8 text: {error}", where=str(path), hint=f"see what it is: file {path}"
        ) from error
    except OSError as error:
        raise SettingsError(
            f"the {model.CALLED} cannot be read: {error.strerror}",
            where=str(path),
            hint=f"look at its owner and mode: ls -l {path}",
        ) from error


def load(model: type[Model], path: Path) -> Loaded[Model]:
    """Read, override and validate. Raises one SettingsError that lists every mistake."""
    tables = _read(model, path)
    mistakes = list(unknown_variables(model, _variables(), ENV_PREFIX, ENV_DELIMITER))
    try:
        settings = model(**tables)
    except ValidationError as error:
        mistakes += describe(model, error, _from_environment)
    except SourceError as error:
        mistakes.append(f"environment: {error}")
    else:
        if not mistakes:
            return Loaded(settings, path, tables)
    if len(mistakes) == 1:
        message = f"the {model.CALLED} has a mistake: {mistakes[0]}"
    else:
        message = f"the {model.CALLED} has {len(mistakes)} mistakes:" + "".join(
            f"\n  {mistake}" for mistake in mistakes
        )
    raise SettingsError(message, where=str(path), hint=model.EXPLAINED)


def _variables() -> Iterator[str]:
    names = (name for name in sorted(os.environ) if name.startswith(ENV_PREFIX))
    return (name for name in names if name not in failpoints.VARIABLES)


def _from_environment(location: tuple[int | str, ...]) -> str | None:
    """The variable that a location's value came from, if it did."""
    parts = [str(part) for part in location]
    for end in range(len(parts), 0, -1):
        name = variable(*parts[:end])
        if name in os.environ:
            return name
    return None
