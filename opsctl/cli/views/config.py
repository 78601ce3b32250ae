"""Answers of `opsctl config`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, JsonValue, TypeAdapter

from opsctl.cli.output import Document, Painter
from opsctl.cli.table import Cell, table
from opsctl.core.section import Section
from opsctl.core.settings import Loaded, Origin
from opsctl.core.settings_example import toml_value
from opsctl.settings import Settings

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


class Setting(BaseModel):
    """One effective value and where it came from."""

    section: str
    key: str
    value: JsonValue
    source: Origin


class ConfigShow(Document):
    """Every effective setting. There are no secrets among them, only paths of files that hold some."""

    kind: Literal["config-show"] = "config-show"
    path: Path
    settings: tuple[Setting, ...]


class ConfigValidate(Document):
    """A settings file that holds."""

    kind: Literal["config-validate"] = "config-validate"
    path: Path
    valid: bool


class ConfigGenerate(Document):
    """The commented example of a settings file."""

    kind: Literal["config-generate"] = "config-generate"
    text: str


def show(loaded: Loaded[Settings]) -> ConfigShow:
    """Collect every effective value."""
    return ConfigShow(path=loaded.path, settings=tuple(_settings(loaded)))


def _settings(loaded: Loaded[Settings]) -> Iterator[Setting]:
    for name in type(loaded.settings).model_fields:
        section = getattr(loaded.settings, name)
        if isinstance(section, Section):
            yield from _values(name, section, loaded, name)
        elif section is not None:
            for number, item in enumerate(section, start=1):
                yield from _values(f"{name} #{number}", item, loaded, name)


def _values(title: str, section: Section, loaded: Loaded[Settings], name: str) -> Iterator[Setting]:
    for key in type(section).model_fields:
        listed: Origin = "file" if key in section.model_fields_set else "default"
        yield Setting(
            section=title,
            key=key,
            value=_JSON.dump_python(getattr(section, key), mode="json"),
            source=loaded.source(name, key) if title == name else listed,
        )


def show_text(document: ConfigShow, paint: Painter) -> Iterator[str]:
    """Write `[section]` and below it key, value and source."""
    yield paint(f"# {document.path}", "dim")
    section = None
    rows: list[list[Cell | str]] = []
    for setting in (*document.settings, None):
        if setting is None or setting.section != section:
            if rows:
                yield from table(("", "", ""), rows, paint)
            if setting is None:
                return
            rows, section = [], setting.section
            yield ""
            yield paint(f"[{section}]", "bold")
        value = "(not set)" if setting.value is None else toml_value(setting.value)
        source = Cell(setting.source, "dim" if setting.source == "default" else "cyan")
        rows.append([setting.key, value, source])
