"""The stack's files: templates laid out as they lie on the host, and the table that says whose each is."""

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from jinja2 import Environment, FunctionLoader, StrictUndefined, TemplateError
from pydantic import Field

from opsctl.core.errors import OpsError
from opsctl.core.section import Section
from opsctl.deploy.desired.subject import Feature
from opsctl.deploy.resources import Absent, Action, Check, File, Resource, file

TABLE = "table.toml"
Trait = Literal["static", "wordpress", "codeigniter", "python", "socket"]


class Entry(Section):
    """One file of the table; with `for`, one for each site that is any of these, whose name stands for {site}.

    With `when` it is on hosts that have this feature only; on others it must not be, as when they had it before. With
    `spare` it is left alone there: somebody may have written it by hand.
    """

    path: str
    template: str | None = None
    owner: str = "root"
    group: str = "root"
    mode: str = "0644"
    guarded: bool = False
    keep: bool = False
    then: tuple[str, ...] = ()
    traits: tuple[Trait, ...] = Field((), alias="for")
    when: Feature | None = None
    spare: bool = False


class Deed(Action):
    """What is run after files change; with `for`, for each site that is any of these, whose name stands for {site}."""

    traits: tuple[Trait, ...] = Field((), alias="for")


class Table(Section):
    """All files, what is run after they change, and what judges them before."""

    files: tuple[Entry, ...]
    actions: tuple[Deed, ...]
    checks: tuple[Check, ...]


@cache
def table() -> Table:
    """The table that comes with opsctl."""
    return Table.model_validate(tomllib.loads(files("deploy_templates").joinpath(TABLE).read_text(encoding="utf-8")))


@cache
def _environment() -> Environment:
    # What is written are configurations, in which HTML's escapes would be wrong.
    return Environment(
        loader=FunctionLoader(_source),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _source(name: str) -> str:
    return files("deploy_templates").joinpath(name).read_text(encoding="utf-8")


def rendered(facts: Mapping[str, Any], sites: tuple[Any, ...], features: frozenset[Feature]) -> Iterator[Resource]:
    """Every file of the table for a host with these sites. Raises OpsError for a template that cannot be filled."""
    for entry in table().files:
        there = entry.when is None or entry.when in features
        template = (entry.template or entry.path).lstrip("/") + ".j2"
        concerned = [site for site in sites if site.traits.intersection(entry.traits)]
        of_site = [(entry.path.replace("{site}", site.name), site) for site in concerned]
        for path, site in of_site if entry.traits else [(entry.path, None)]:
            if there:
                yield _file(entry, path, template, {**facts, "site": site} if site else facts)
            elif not entry.spare:
                yield Absent(path=path, guarded=entry.guarded, then=entry.then)


def actions(sites: tuple[Any, ...]) -> Iterator[Action]:
    """What may have to be run on a host with these sites."""
    for deed in table().actions:
        concerned = [site.name for site in sites if site.traits.intersection(deed.traits)]
        for name in concerned if deed.traits else [""]:
            argv = tuple(word.replace("{site}", name) for word in deed.argv)
            yield Action(name=deed.name.replace("{site}", name), argv=argv)


def _file(entry: Entry, path: str, template: str, facts: Mapping[str, Any]) -> File:
    try:
        text = _environment().get_template(template).render(facts)
    except TemplateError as error:
        raise OpsError(f"the template cannot be filled: {error}", where=template) from error
    return file(
        path,
        text.encode(),
        owner=entry.owner,
        group=entry.group,
        mode=entry.mode,
        guarded=entry.guarded,
        keep=entry.keep,
        then=tuple(name.replace("{site}", facts["site"].name) for name in entry.then) if entry.traits else entry.then,
    )
