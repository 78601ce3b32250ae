"""Completions in the shells themselves: a line is typed, Tab is pressed, and what the shell offers is read."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.cli.reference.tree import Node, tree

SHARE = Path(__file__).parents[3] / "share"
TREE = tree()
COMMANDS = [node.path[-1] for node in TREE.children]
TIMEOUT_S = 60

# bash calls what `complete` has registered just as readline would.
_BASH = """
source "$1"; line=$2
read -ra COMP_WORDS <<<"$line"
[[ $line == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p opsctl); function=${function##*-F }; ${function%% *}
((${#COMPREPLY[@]})) && printf '%s\\n' "${COMPREPLY[@]}"; true
"""

# zsh completes on a terminal only: one of its own, whose compadd says what it was given. NUL lines hold it in.
_ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "source $1 $2"
while zpty -r z line; do [[ $line == *ready* ]] && break; done
zpty -w -n z "$3"$'\\t'
while zpty -r z line; do
    for line in ${(f)line}; do
        case $line in (*$'\\0'begin*) on=1 ;; (*$'\\0'end*) exit ;; (*) (( on )) && print -r -- ${line%$'\\r'} ;; esac
    done
done
"""
_IN_THE_TERMINAL = """
PROMPT=
fpath=($1 $fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
begin () { print -r -- $'\\0'begin }
finish () { print -r -- $'\\0'end }
compprefuncs=(begin)
comppostfuncs=(finish)
compadd () {
    [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return }
    local -a hits
    builtin compadd -A hits "$@"
    (( $#hits )) && print -rl -- $hits
    builtin compadd "$@"
}
print ready
"""


def ended(*words: str | Path, directory: Path) -> list[str]:
    """The lines that a shell wrote; it has to be silent otherwise."""
    done = subprocess.run(
        words, cwd=directory, capture_output=True, text=True, check=True, timeout=TIMEOUT_S, stdin=subprocess.DEVNULL
    )
    assert done.stderr == ""
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def bash(line: str, directory: Path) -> list[str]:
    return ended("bash", "--norc", "-c", _BASH, "bash", SHARE / "bash-completion/completions/opsctl", line,
                 directory=directory)  # fmt: skip


def fish(line: str, directory: Path) -> list[str]:
    script = 'source $argv[1]; complete -C "$argv[2]"'
    found = ended("fish", "--no-config", "-c", script, SHARE / "fish/vendor_completions.d/opsctl.fish", line,
                  directory=directory)  # fmt: skip
    return [offer.partition("\t")[0] for offer in found]


def zsh(line: str, directory: Path) -> list[str]:
    terminal = directory / ".terminal.zsh"
    terminal.write_text(_IN_THE_TERMINAL)
    return ended("zsh", "-f", "-c", _ZSH, "zsh", terminal, SHARE / "zsh/site-functions", line, directory=directory)


Shell = Callable[[str, Path], list[str]]


@pytest.mark.parametrize("shell", [bash, zsh, fish])
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("opsctl ", COMMANDS),
        ("opsctl dri", ["drill"]),
        ("opsctl drill sh", ["show"]),
        ("opsctl drill self-test --li", ["--list"]),
        ("opsctl --json binlog ", ["ship", "list", "gaps"]),
        ("opsctl --quiet --lock-wait 5 drill ru", ["run"]),
        ("opsctl restore --la", ["--latest"]),
        ("opsctl --config restore dri", ["drill"]),  # a value is no command
        ("opsctl backup show --repository ru", []),  # nor is it completed as one
    ],
)  # fmt: skip
def test_what_a_shell_offers(shell: Shell, line: str, offered: list[str], tmp_path: Path) -> None:
    assert sorted(shell(line, tmp_path)) == sorted(offered)


@pytest.mark.parametrize("shell", [zsh, fish])
def test_a_value_is_completed_with_files(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").touch()
    assert shell("opsctl doctor --config sett", tmp_path) == ["settings.toml"]


@pytest.mark.parametrize("shell", [bash, zsh, fish])
def test_every_command_and_option_is_offered(shell: Shell, tmp_path: Path) -> None:
    """At each place of the tree that has commands below it, and for the options of two that have many."""

    def places(node: Node) -> list[Node]:
        return [node, *(each for child in node.children for each in places(child))]

    for node in places(TREE):
        line = " ".join(("opsctl", *node.path))
        if node.children:
            assert sorted(shell(f"{line} ", tmp_path)) == sorted(child.path[-1] for child in node.children)
    for path in (("init",), ("drill", "self-test")):
        (node,) = [node for node in places(TREE) if node.path == path]
        long = {name for option in node.options for name in option.names if name.startswith("--")}
        assert long <= set(shell(f"opsctl {' '.join(path)} --", tmp_path))
