"""The man page opsctl(1), in the macros of man(7)."""

from collections.abc import Iterator

from opsctl import __version__
from opsctl.cli.reference.markdown import own_options
from opsctl.cli.reference.tree import PROGRAM, Node, Option
from opsctl.core.errors import EXIT_MEANINGS

_FILES = {
    "/etc/opsctl/opsctl.toml": "The settings, unless ./opsctl.toml is there or --config names another file.",
    "/var/lib/opsctl": "The state: the ledger, and what this machine remembers of its repositories.",
    "/run/opsctl": "Locks.",
    "README.txt": "In each repository: how to restore from it with stock programs.",
}
_ENVIRONMENT = {"NO_COLOR": "When it is set to anything, there are no colours."}


def page(root: Node) -> str:
    """The page as roff."""
    lines = [
        '.\\" Written by script/docs from the command tree.',
        f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "User Commands"',
        ".SH NAME",
        _escaped(f"{PROGRAM} - {root.summary[0].lower()}{root.summary[1:].rstrip('.')}"),
        ".SH SYNOPSIS",
        f".B {PROGRAM}",
        ".I COMMAND",
        "[OPTIONS]",
        ".SH COMMANDS",
    ]
    for child in root.children:
        for node in child.walk():
            lines += _command(node)
    lines += [".SH OPTIONS OF EVERY COMMAND", *_options([each for each in root.options if each.shared])]
    lines += [".SH EXIT STATUS", *_items({str(code.value): meaning for code, meaning in EXIT_MEANINGS.items()})]
    lines += [".SH FILES", *_items(_FILES)]
    lines += [".SH ENVIRONMENT", *_items(_ENVIRONMENT)]
    return "\n".join([*lines, ".SH SEE ALSO", "age(1), mariadb\\-backup(1), ssh\\-keygen(1)"]) + "\n"


def _command(node: Node) -> Iterator[str]:
    if node.children:
        yield f".SS {_escaped(f'{PROGRAM} {node.words}')}"
        yield from _paragraphs(node.help)
        return
    # A command that stands alone is a section of its own, one of a group an entry in the group's.
    if len(node.path) == 1:
        yield f".SS {_escaped(f'{PROGRAM} {node.words}')}"
    else:
        yield from (".TP", f".B {_escaped(node.usage)}")
    yield from _paragraphs(node.help, indented=len(node.path) > 1)
    entries = {each.written: each.help for each in node.arguments}
    entries |= {each.written: each.help for each in own_options(node)}
    if entries:
        yield from (".RS", *_items(entries), ".RE")


def _paragraphs(text: str, *, indented: bool = False) -> Iterator[str]:
    first, *others = text.split("\n\n")
    yield _escaped(" ".join(first.split()))
    for paragraph in others:
        yield from (".IP" if indented else ".PP", _escaped(" ".join(paragraph.split())))


def _options(options: list[Option]) -> Iterator[str]:
    yield from _items({each.written: each.help for each in options})


def _items(entries: dict[str, str]) -> Iterator[str]:
    for term, text in entries.items():
        yield from (".TP", f".B {_escaped(term)}", _escaped(text))


def _escaped(text: str) -> str:
    """Text that no macro begins in; its dashes can be copied to a shell."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
