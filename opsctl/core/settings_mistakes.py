"""Says what is wrong with settings, in the words of the file they stand in, with the nearest right key."""

import difflib
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

Location = tuple[int | str, ...]


def describe(
    model: type[BaseModel], error: ValidationError, variable_of: Callable[[Location], str | None]
) -> Iterator[str]:
    """Say each mistake of a validation in one sentence; `variable_of` names the environment variable it came from.

    Values are never repeated: somebody may have put a secret where a path belongs.
    """
    mistakes = error.errors(include_input=False, include_url=False)
    for found in mistakes:
        location = tuple(found["loc"])
        if found["type"] == "too_short" and any(_is_below(tuple(other["loc"]), location) for other in mistakes):
            continue  # it only counts those that are right
        sentence = _sentence(model, location, found["type"], found["msg"])
        name = variable_of(location)
        yield f"{sentence} (environment: {name})" if name else sentence


def _is_below(location: Location, other: Location) -> bool:
    return len(location) > len(other) and location[: len(other)] == other


def unknown_variables(model: type[BaseModel], names: Iterable[str], prefix: str, delimiter: str) -> Iterator[str]:
    """Say which environment variables name no section at all; pydantic would pass them over in silence."""
    for name in names:
        section = name.removeprefix(prefix).split(delimiter)[0].lower()
        if section not in model.model_fields:
            guess = nearest(section, model.model_fields)
            hint = f"; did you mean {prefix}{guess.upper()}?" if guess else ""
            yield f"environment: {name} names no section{hint}"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one, if any is."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.55)), None)


def section_model(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a field holds: itself, or None of it, or a list of it; of several kinds, the first."""
    return next(iter(section_models(field)), None)


def section_models(field: FieldInfo) -> list[type[BaseModel]]:
    """All sections that a field may hold; they tell each other apart by their key `kind`."""
    return list(_models_in(field.annotation))


def of_kind(models: Iterable[type[BaseModel]], kind: object) -> type[BaseModel] | None:
    """The section of a kind."""
    return next((model for model in models if kind in get_args(_kind_field(model))), None)


def _kind_field(model: type[BaseModel]) -> Any:
    return model.model_fields["kind"].annotation if "kind" in model.model_fields else None


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds a list of sections (`[[sites]]`)."""
    return get_origin(field.annotation) is tuple


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) is Annotated:
        yield from _models_in(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType, tuple}:
        for part in get_args(annotation):
            yield from _models_in(part)


def _sentence(model: type[BaseModel], location: Location, kind: str, message: str) -> str:
    if not location or isinstance(location[-1], int):  # a file, or a table, as a whole
        return f"{_holder(model, location)[0]}: {_plain(message)}" if location else _plain(message)
    key = str(location[-1])
    table, holder = _holder(model, location[:-1])
    if kind == "extra_forbidden":
        if not table:
            guess = nearest(key, model.model_fields)
            return f"there is no section [{key}]" + (f"; did you mean [{guess}]?" if guess else "")
        return f"{table} has no key '{key}'" + _suggestion(model, holder, key)
    if kind == "missing":
        field = holder.model_fields.get(key) if holder is not None else None
        if not table:
            return f"there is no section [{key}]"
        return f"{table} lacks '{key}'" + (f": {field.description}" if field and field.description else "")
    return f"{table} {key}: {_plain(message)}" if table else f"[{key}]: {_plain(message)}"


def _suggestion(model: type[BaseModel], holder: type[BaseModel] | None, key: str) -> str:
    guess = nearest(key, holder.model_fields) if holder is not None else None
    if guess:
        return f"; did you mean '{guess}'?"
    for name, field in model.model_fields.items():
        section = section_model(field)
        if section is not None and key in section.model_fields:
            return f"; it belongs to [{name}]"
    return ""


def _holder(model: type[BaseModel], location: Location) -> tuple[str, type[BaseModel] | None]:
    """The table that a location lies in, as it is written in the file, and its model."""
    names: list[str] = []
    holder: type[BaseModel] | None = model
    kinds: list[type[BaseModel]] = []
    for part in location:
        if isinstance(part, int):
            names[-1] += f" #{part + 1}"
        elif (kind := of_kind(kinds, part)) is not None:
            holder, kinds = kind, []
        elif holder is not None and part in holder.model_fields:
            names.append(part)
            kinds = section_models(holder.model_fields[part])
            holder = next(iter(kinds), None)
    return (f"[{'.'.join(names)}]" if names else ""), holder


def _plain(message: str) -> str:
    return message[:1].lower() + message[1:]
