"""docs/cli.md: the whole command line on one page."""

from collections.abc import Iterator, Sequence

from opsctl.cli.reference.tree import PROGRAM, Node, Option
from opsctl.core.errors import EXIT_MEANINGS

_INTRODUCTION = """\
<!-- Written by script/docs from the command tree: edit the help texts, not this page. -->
# The command line

Data goes to standard output, messages to standard error. Nothing ever needs a prompt: what destroys something wants to
be told its name. Progress is shown only on a terminal; the exit code says how it ended.
"""


def page(root: Node) -> str:
    """The page as Markdown."""
    lines = [_INTRODUCTION]
    lines += _contents(root)
    lines += ["## Options of every command", ""]
    lines += _table("option", [(each.written, each.help) for each in root.options if each.shared])
    lines += ["## Exit codes", ""]
    lines += _table("code", [(str(code.value), meaning) for code, meaning in EXIT_MEANINGS.items()])
    for child in root.children:
        for node in child.walk():
            lines += _section(node)
    return "\n".join(lines).rstrip() + "\n"


def _contents(root: Node) -> Iterator[str]:
    yield from ("| command | |", "|---|---|")
    for child in root.children:
        name = f"{PROGRAM} {child.words}"
        yield f"| [`{name}`](#{name.replace(' ', '-')}) | {_cell(child.summary)} |"
    yield ""


def _section(node: Node) -> Iterator[str]:
    yield from (f"{'#' * (len(node.path) + 1)} {PROGRAM} {node.words}", "", node.help, "")
    if node.children:
        return
    yield from ("```", node.usage, "```", "")
    if node.arguments:
        yield from _table("argument", [(each.written, each.help) for each in node.arguments])
    own = own_options(node)
    if own:
        yield from _table("option", [(each.written, each.help) for each in own])


def own_options(node: Node) -> list[Option]:
    """The options that not every command has."""
    return [option for option in node.options if not option.shared]


def _table(head: str, rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield from (f"| {head} | |", "|---|---|")
    for name, text in rows:
        yield f"| `{_cell(name)}` | {_cell(text)} |"
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
