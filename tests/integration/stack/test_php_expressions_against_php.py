"""Expressions of every kind come to what PHP makes of them, or are said not to be understood."""

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

from opsctl.core.process import command, run
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.php import PhpArray, Unknown, read_config

EXPRESSIONS = 1500
VALUES = (
    *("''", "'0'", "'1'", "'01'", "'a'", "'A/b/'", "' x '", "'1e1'", "'10'", "' 1'", "'-1'", '"q\\"\\n"', "'null'"),
    *("0", "1", "-1", "7", "0x1F", "010", "1_000", "true", "FALSE", "null", "1.5"),
    *("[]", "['a']", "['a' => '1', 'b' => 2]"),
    *("$s", "$n", "$none", "$list['k']", "$list['none']", "$list[0]", "$list[5]", "K", "'x' . 'y'"),
)
BINARY = (*("...."), "==", "!=", "<>", "===", "!==", "<", "<=", ">", ">=", "+", "-", "*", "%", "<=>", "**")
LOGICAL = ("&&", "||", "and", "or", "xor", "??", "?:")
UNARY = ("!", "-", "+", "(string)", "(bool)", "(int)", "@", "(float)", "(array)")
FUNCTIONS = (
    *("trim(@)", "rtrim(@, '/')", "ltrim(@, 'a')", "strtolower(@)", "strtoupper(@)", "basename(@)", "dirname(@)"),
    *("dirname(@, 2)", "basename(@, 'b')", "strpos(@, @)", "stripos(@, 'A')", "str_contains(@, @)", "md5(@)"),
    *("str_starts_with(@, 'a')", "str_ends_with(@, @)", "str_replace(@, 'z', @)", "in_array(@, ['a', '1', 'x'])"),
    *("isset($s)", "isset($none)", "isset($list['k'])", "isset($list['none'])", "isset($null)"),
    *("empty($s)", "empty($none)", "empty($list['z'])", "substr(@, 1)"),
    *("defined('K')", "defined('NO_SUCH')", "constant('K')", "file_exists('/')", "is_dir(@)", "is_file(@)"),
)
FORMS = (
    *("({} {binary} {})", "({} {binary} {})", "({} {logical} {})", "{unary} {}", "({} ? {} : {})"),
    "({value} {one} {value} {two} {value} {one} {})",
)
BEFORE = (
    "$s = 'str'; $n = 3; $null = null; const K = 'konst';\n"
    "$list = ['k' => 'v', 'z' => '0', 'first', 8 => 'eight', 'ninth'];\n"
)


def expression(choose: random.Random, depth: int) -> str:
    """An expression with brackets around its parts, or (the last form) without: what binds more strongly shows."""
    if depth == 0 or choose.random() < 0.2:
        return choose.choice(VALUES)
    form = choose.choice((*FORMS, choose.choice(FUNCTIONS)))
    parts: dict[str, Callable[[], str]] = {
        "{binary}": lambda: choose.choice(BINARY),
        "{logical}": lambda: choose.choice(LOGICAL),
        "{unary}": lambda: choose.choice(UNARY),
        "{value}": lambda: choose.choice(VALUES),
        "{one}": lambda: choose.choice((".", "&&", "||", "??", "and", "or")),
        "{two}": lambda: choose.choice(("===", "!==", "==", ".", "<")),
        "{}": lambda: expression(choose, depth - 1),
        "@": lambda: expression(choose, depth - 1).replace("@", ""),
    }

    def part(found: re.Match[str]) -> str:
        return parts[found[0]]()

    return re.sub(r"\{\w*\}|(?<=[(, ])@", part, form)


def php_answers(expressions: list[str], directory: Path) -> dict[str, object]:
    lines = [f"try {{ $a['E{i}'] = ({each}); }} catch (Throwable $e) {{ }}" for i, each in enumerate(expressions)]
    program = f"<?php\nerror_reporting(0);\n{BEFORE}$a = [];\n" + "\n".join(lines)
    program += "\necho json_encode($a, JSON_PRESERVE_ZERO_FRACTION | JSON_INVALID_UTF8_SUBSTITUTE);\n"
    (directory / "program.php").write_text(program)
    done = run(command("php", directory / "program.php"), timeout_s=120, check=False)
    answers = json.loads(done.stdout)
    assert isinstance(answers, dict)
    return answers


def plain(value: object) -> object:
    if isinstance(value, PhpArray):
        items = {str(key): plain(each.value) for key, each in value.items.items()}
        return list(items.values()) if list(items) == [str(i) for i in range(len(items))] else items
    return value


def is_whole(value: object) -> bool:
    """Whether no part of a value is unknown."""
    if isinstance(value, PhpArray):
        return value.rest is None and all(is_whole(each.value) for each in value.items.values())
    return not isinstance(value, Unknown)


def test_what_is_claimed_is_what_php_says(tmp_path: Path) -> None:
    seed = int(os.environ.get("OPSCTL_TEST_SEED", "20250"))
    choose = random.Random(seed)
    expressions = [expression(choose, 3) for _ in range(EXPRESSIONS)]
    theirs = php_answers(expressions, tmp_path)
    config = tmp_path / "config.php"
    defined = "".join(f"define('E{i}', ({each}));\n" for i, each in enumerate(expressions))
    config.write_text(f"<?php\n{BEFORE}{defined}")
    mine = read_config(HostFiles(Path("/")), config)
    wrong, claimed = [], 0
    for number, each in enumerate(expressions):
        found = mine.constant(f"E{number}")
        assert found is not None, each
        if not is_whole(found.value) or f"E{number}" not in theirs:
            continue
        claimed += 1
        value, answer = plain(found.value), theirs[f"E{number}"]
        if (value, type(value)) != (answer, type(answer)):
            wrong.append(f"{each}: {value!r}, php {answer!r}")
    assert wrong == [], "\n".join([f"seed {seed}", *wrong])
    assert claimed > EXPRESSIONS / 3
