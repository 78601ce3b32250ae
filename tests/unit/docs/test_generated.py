"""docs/cli.md, the man page and the completions are those of the code; so are the schemas (tests/unit/cli)."""

import subprocess
from pathlib import Path

import pytest

from opsctl.cli.reference import completions, manpage, markdown
from opsctl.cli.reference.pages import pages
from opsctl.cli.reference.tree import Node, tree
from opsctl.core.errors import EXIT_MEANINGS

PROJECT = Path(__file__).parents[3]
TREE = tree()
COMMANDS = [node for node in TREE.walk() if node.path]


@pytest.mark.parametrize("name", [name for name in pages() if not name.startswith("docs/schemas/")])
def test_the_file_is_as_the_code_would_write_it(name: str) -> None:
    assert (PROJECT / name).exists(), f"{name} is missing: run script/docs"
    assert (PROJECT / name).read_text() == pages()[name], f"{name} is stale: run script/docs"


def test_nothing_generated_is_left_of_a_command_that_is_gone() -> None:
    here = {path for path in (PROJECT / "share").rglob("*") if path.is_file()}
    assert {str(path.relative_to(PROJECT)) for path in here} <= set(pages())


@pytest.mark.parametrize("node", COMMANDS, ids=lambda node: node.words)
def test_every_command_and_option_is_in_the_page_and_in_the_manual(node: Node) -> None:
    page, manual = markdown.page(TREE), manpage.page(TREE).replace("\\-", "-")
    assert f"# opsctl {node.words}\n" in page
    assert f"opsctl {node.words}" in manual
    for option in markdown.own_options(node) if not node.children else ():
        assert f"`{option.written}`".replace("|", "\\|") in page
        assert f".B {option.written}\n" in manual


def test_the_exit_codes_are_in_the_page_and_in_the_manual() -> None:
    for code, meaning in EXIT_MEANINGS.items():
        assert f"| `{code.value}` | {meaning} |" in markdown.page(TREE)
        assert f".B {code.value}\n{meaning}\n" in manpage.page(TREE).replace("\\-", "-")


def test_no_line_of_the_manual_is_taken_for_a_macro_or_loses_its_backslash() -> None:
    node = Node((), "opsctl", "x", (), (), (Node(("a",), "a", ".hidden\n\n'quoted' \\back", (), (), ()),))
    assert "\\&.hidden\n.PP\n\\(aqquoted\\(aq \\eback\n" in manpage.page(node)


def completed(*words: str, directory: Path) -> list[str]:
    """What bash offers for the last of the words."""
    script = (
        f'{completions.bash(TREE)}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _opsctl\n'
        '((${#COMPREPLY[@]})) && printf "%s\\n" "${COMPREPLY[@]}"; true'
    )
    done = subprocess.run(
        ["bash", "--norc", "-uc", script, "bash", *words], cwd=directory, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("",), [node.path[-1] for node in COMMANDS if len(node.path) == 1]),
        (("dri",), ["drill"]),
        (("drill", "sh"), ["show"]),
        (("--json", "binlog", ""), ["ship", "list", "gaps"]),
        (("restore", "--la"), ["--latest"]),
        (("restore", "--to", ""), []),  # a value: the shell offers files
        (("--config", "restore", "dri"), ["drill"]),  # a value is no command
        (("restore", "x"), []),
    ],
)
def test_bash_completes(words: tuple[str, ...], offered: list[str], tmp_path: Path) -> None:
    assert completed("opsctl", *words, directory=tmp_path) == offered


@pytest.mark.parametrize(
    ("shell", "text"), [("zsh", completions.zsh(TREE)), ("fish", completions.fish(TREE))], ids=["zsh", "fish"]
)
def test_zsh_and_fish_know_every_command_and_option(shell: str, text: str) -> None:
    for node in COMMANDS:
        assert node.path[-1] in text
        for option in node.options:
            spelled = [f"-l {name[2:]}" if shell == "fish" else f"{name}:" for name in option.names if name[:2] == "--"]
            assert all(each in text for each in spelled)
