"""Writes settings files: every key with its meaning, set ones as values, the others commented out with their default.

The schema is the one source: what validates the settings also writes `opsctl config generate` and what `opsctl init`
leaves behind.
"""

import inspect
import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from opsctl.core.settings_mistakes import is_list, of_kind, section_model, section_models

WIDTH = 100


def render(model: type[BaseModel], values: Mapping[str, Any], *, heading: Sequence[str] = ()) -> str:
    """Write a settings file with `values` (sections by name, lists of sections as lists) in it.

    A section without values is commented out as a whole, unless the model has no use without it.
    """
    parts = ["\n".join(f"# {line}".rstrip() for line in heading)] if heading else []
    for name, field in model.model_fields.items():
        section = section_model(field)
        if section is None:
            continue
        intro = _comment(field.description or inspect.cleandoc(section.__doc__ or ""))
        given = values.get(name)
        if is_list(field):
            tables = "\n\n".join(_tables(name, section_models(field), given or ()))
            parts.append(f"{intro}\n{tables}")
        elif given is not None:
            parts.append(f"{intro}\n{_table(f'[{name}]', section, given)}")
        else:
            body = _table(f"[{name}]", section, example(section))
            parts.append(f"{intro}\n{body if field.is_required() else _out(body)}")
    return "\n\n".join(parts) + "\n"


def example(section: type[BaseModel]) -> dict[str, Any]:
    """Values for the keys that a section cannot do without."""
    return {name: _example_of(field) for name, field in section.model_fields.items() if field.is_required()}


def _example_of(field: FieldInfo) -> Any:
    if field.examples:
        return field.examples[0]
    if get_origin(field.annotation) is Literal:
        return get_args(field.annotation)[0]
    raise LookupError(f"a required setting has no example: {field.description}")


def _tables(name: str, kinds: Sequence[type[BaseModel]], given: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tables of a list; after them, as comments, one of each kind that it has none of."""
    header, used, tables = f"[[{name}]]", [], []
    for table in given:
        used.append(of_kind(kinds, table.get("kind")) or kinds[0])
        tables.append(_table(header, used[-1], table))
    unused = [kind for kind in kinds if kind not in used] if len(kinds) > 1 or not given else []
    return [*tables, *(_out(_table(header, kind, example(kind))) for kind in unused)]


def _table(header: str, section: type[BaseModel], given: Mapping[str, Any]) -> str:
    lines = [header]
    for name, field in section.model_fields.items():
        lines.append(_comment(field.description or ""))
        if name in given:
            lines.append(f"{name} = {toml_value(given[name])}")
        elif field.default is None:
            lines.append(f"#{name} = {_placeholder(field)}")
        else:
            lines.append(f"#{name} = {toml_value(field.get_default(call_default_factory=True))}")
    return "\n".join(lines)


def _placeholder(field: FieldInfo) -> str:
    """What could stand for a key that is not set by default."""
    nested = section_model(field)
    if nested is not None:
        return "{ " + ", ".join(f'{name} = "…"' for name in nested.model_fields) + " }"
    return toml_value(field.examples[0]) if field.examples else '"…"'


def _comment(text: str) -> str:
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    lines = [line for paragraph in paragraphs for line in textwrap.wrap(paragraph, WIDTH - 2)]
    return "\n".join(f"# {line}" for line in lines)


def _out(text: str) -> str:
    """Comment out what is not commented out yet."""
    return "\n".join(line if line.startswith("#") else f"#{line}" for line in text.splitlines())


def toml_value(value: Any) -> str:
    """Write a value as TOML on one line; models and mappings become inline tables, paths strings."""
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str | Path):
        return _string(str(value))
    if isinstance(value, Sequence):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(TypeAdapter(type(value)).dump_python(value, mode="json"))


def _string(text: str) -> str:
    """JSON's escapes are TOML's, except that TOML has no surrogates and refuses DEL bare."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
