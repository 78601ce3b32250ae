"""Completions for bash, zsh and fish: tables of words, so that a Tab starts no program."""

import shlex
from collections.abc import Iterable

from opsctl.cli.reference.tree import PROGRAM, Node

_HEAD = "# Completes the words of {program}. Written by script/docs from the command tree."
_BASH = """\
{head}
_{program}() {{
    local word i skip= at= words=
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [ -n "$skip" ]; then skip=; continue; fi
        case $word in {valued}) skip=yes; continue ;; esac
        case "$at${{at:+ }}$word" in {paths}) at="$at${{at:+ }}$word" ;; esac
    done
    if [ -n "$skip" ]; then return; fi
    case "$at:${{COMP_WORDS[COMP_CWORD]}}" in
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _{program} {program}
"""
_ZSH = """\
#compdef {program}
{head}
_{program}() {{
    local word skip= at=
    local -a found
    for word in ${{words[2,CURRENT-1]}}; do
        if [[ -n $skip ]]; then skip=; continue; fi
        case $word in ({valued}) skip=yes; continue ;; esac
        case "$at${{at:+ }}$word" in ({paths}) at="$at${{at:+ }}$word" ;; esac
    done
    if [[ -n $skip ]]; then _files; return; fi
    case "$at:$PREFIX" in
{cases}
    esac
    if (( $#found )); then _describe {program} found; else _files; fi
}}
_{program} "$@"
"""
_FISH = """\
{head}
function __{program}_at
    set -l at
    set -l skip no
    for word in (commandline -opc)[2..-1]
        if test $skip = yes
            set skip no
        else if contains -- $word {valued}
            set skip yes
        else if contains -- (string join -- ' ' $at $word) {paths}
            set -a at $word
        end
    end
    string join -- ' ' $at
end
function __{program}_is
    test "$(__{program}_at)" = "$argv"
end
{lines}
"""


def bash(root: Node) -> str:
    """The completions for bash, to be sourced or put into share/bash-completion/completions."""
    cases = []
    for node in root.walk():
        options = " ".join(name for option in node.options for name in option.names)
        cases += [f"        {_quoted(node.words)}:-*) words={_quoted(options)} ;;"]
        if node.children:
            children = " ".join(child.path[-1] for child in node.children)
            cases += [f"        {_quoted(node.words)}:*) words={_quoted(children)} ;;"]
    return _BASH.format(head=_head(), program=PROGRAM, **_alternatives(root), cases="\n".join(cases))


def zsh(root: Node) -> str:
    """The completions for zsh, to be put into a directory of its fpath as _opsctl."""
    cases = []
    for node in root.walk():
        options = [f"{name}:{_plain(option.help)}" for option in node.options for name in option.names]
        cases += [f"        ({_quoted(node.words)}:-*) found=({_all_quoted(options)}) ;;"]
        if node.children:
            children = [f"{child.path[-1]}:{_plain(child.summary)}" for child in node.children]
            cases += [f"        ({_quoted(node.words)}:*) found=({_all_quoted(children)}) ;;"]
    return _ZSH.format(head=_head(), program=PROGRAM, **_alternatives(root), cases="\n".join(cases))


def fish(root: Node) -> str:
    """The completions for fish, to be put into a directory of its completions."""
    lines = []
    for node in root.walk():
        condition = f"complete -c {PROGRAM} -n {_quoted(f'__{PROGRAM}_is {node.words}'.strip())}"
        lines += [f"{condition} -f -a {child.path[-1]} -d {_fish(child.summary)}" for child in node.children]
        for option in node.options:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
            lines += [f"{condition} {names}{' -r' if option.takes_value else ''} -d {_fish(option.help)}"]
    words = {"valued": " ".join(_valued(root)), "paths": _all_quoted(_paths(root))}
    return _FISH.format(head=_head(), program=PROGRAM, **words, lines="\n".join(lines))


def _head() -> str:
    return _HEAD.format(program=PROGRAM)


def _alternatives(root: Node) -> dict[str, str]:
    return {"valued": "|".join(_valued(root)), "paths": "|".join(_quoted(path) for path in _paths(root))}


def _valued(root: Node) -> list[str]:
    """Every option that is followed by a value."""
    options = [option for node in root.walk() for option in node.options if option.takes_value]
    return sorted({name for option in options for name in option.names})


def _paths(root: Node) -> list[str]:
    return [node.words for node in root.walk() if node.path]


def _quoted(text: str) -> str:
    return shlex.quote(text)


def _all_quoted(words: Iterable[str]) -> str:
    return " ".join(_quoted(word) for word in words)


def _plain(text: str) -> str:
    """Text in which a colon is no separator."""
    return " ".join(text.split()).replace(":", "\\:")


def _fish(text: str) -> str:
    return "'" + " ".join(text.split()).replace("\\", "\\\\").replace("'", "\\'") + "'"
