"""Whatever the environment decides, what is claimed of a program is what PHP comes to."""

import itertools
import json
import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from opsctl.core.process import command, run
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.php import PhpArray, PhpConfig, Unknown, read_config

PROGRAMS = 150
ENVIRONMENTS: tuple[dict[str, str], ...] = ({}, {"C1": "1", "S": "x"}, {"C2": "1", "S": "y"}, {"C1": "1", "C2": "1"})
NAMES = ("A", "B", "C")
# Runs each program in each environment, in a process of its own, and writes what it came to beside it.
DRIVER = """<?php
function run($number, $index, $environment) {
    foreach ($environment as $name => $value) {
        putenv("$name=$value");
    }
    register_shutdown_function(function () use ($number, $index) {
        $variables = array_intersect_key($GLOBALS, array_flip(['a', 'b', 'l', 'ended']));
        $constants = (object) (get_defined_constants(true)['user'] ?? []);
        file_put_contents("$number.$index.json", json_encode(['constants' => $constants, 'variables' => $variables]));
    });
}
ini_set('display_errors', '0');
[$programs, $environments] = json_decode(stream_get_contents(STDIN), true);
for ($number = 0; $number < $programs; $number++) {
    foreach ($environments as $index => $environment) {
        $pid = pcntl_fork();
        if ($pid === 0) {
            run($number, $index, $environment);
            $program = "$number.php";
            unset($number, $index, $environment, $environments, $programs, $pid);
            require $program;
            $ended = 1;
            exit(0);
        }
        pcntl_waitpid($pid, $status);
    }
}
"""


class Writer:
    """Writes a program at random."""

    def __init__(self, seed: int) -> None:
        self.choose = random.Random(seed)

    def value(self) -> str:
        return self.choose.choice(
            ("'x'", "'y'", "''", "1", "true", "null", "$a", "$b", "$l['k'] ?? 'z'", "['k' => 'v']")
        )

    def condition(self) -> str:
        plain = (
            "getenv('C1')",
            "getenv('C2')",
            "isset($a)",
            "isset($l['k'])",
            "empty($b)",
            "$a === 'x'",
            "true",
            "false",
        )
        kind = self.choose.randrange(4)
        if kind == 0:
            return f"defined('{self.choose.choice(NAMES)}')"
        if kind == 1:
            return f"!({self.condition()})"
        if kind == 2:
            return f"({self.choose.choice(plain)} {self.choose.choice(('&&', '||'))} {self.condition()})"
        return self.choose.choice(plain)

    def simple(self) -> str:
        name, variable, value = self.choose.choice(NAMES), self.choose.choice(("$a", "$b", "$l['k']")), self.value()
        forms = (
            *(f"define('{name}', {value});", f"defined('{name}') or define('{name}', {value});"),
            *(f"{variable} = {value};", f"{variable} ??= {value};", f"$l[] = {value};", f"unset({variable});"),
            *("$a = 'q' . (is_string($b) ? $b : '');", "$b .= 's';", f"$a = $b = {value};"),
            *(f"$a = {self.condition()} ? {value} : {self.value()};", f"{self.condition()} && $b = {value};"),
            *(
                f"$l = ['k' => {value}, 'other' => 'o'];",
                f"function f{self.choose.random():.9f}() {{}}".replace("0.", ""),
            ),
            *(f"[$a, $b] = [{value}, 'two'];", f"{self.condition()} or define('{name}', 'late');"),
        )
        return self.choose.choice(forms)

    def block(self, depth: int) -> str:
        return " ".join(self.statement(depth) for _ in range(self.choose.randrange(1, 4)))

    def statement(self, depth: int) -> str:
        if depth == 0 or self.choose.random() < 0.5:
            return self.simple()
        inner = depth - 1
        forms: tuple[Callable[[], str], ...] = (
            lambda: f"if ({self.condition()}) {{ {self.block(inner)} }}",
            lambda: f"if ({self.condition()}) {{ {self.block(inner)} }} else {{ {self.block(inner)} }}",
            lambda: (
                f"if ({self.condition()}): {self.block(inner)} elseif ({self.condition()}): {self.block(inner)} endif;"
            ),
            lambda: f"foreach (['x', 'y'] as $a) {{ {self.block(inner)} }}",
            lambda: f"for ($I = 0; $I < 2; $I++) {{ {self.block(inner)} if ({self.condition()}) break; }}".replace(
                "$I", f"$i{self.choose.randrange(10**9)}"
            ),
            lambda: (
                f"switch (getenv('S')) {{ case 'x': {self.block(inner)} {self.choose.choice(('break;', ''))} "
                f"case 'y': {self.block(inner)} break; default: {self.block(inner)} }}"
            ),
            lambda: (
                f"try {{ {self.block(inner)} if (getenv('C2')) throw new Exception(); {self.block(inner)} }} "
                f"catch (Exception $e) {{ {self.block(inner)} }}"
            ),
            lambda: f"if ({self.condition()}) {{ {self.block(inner)} exit; }}",
            lambda: f"if ({self.condition()}) {{ {self.block(inner)} return; }}",
            lambda: f"(function () {{ {self.simple()} }})();",
        )
        return self.choose.choice(forms)()


def php_answers(directory: Path) -> None:
    (directory / "driver.php").write_text(DRIVER)
    asked = json.dumps([PROGRAMS, ENVIRONMENTS]).encode()
    run(replace(command("php", "driver.php"), cwd=directory), timeout_s=240, stdin=asked)


def agrees(mine: object, theirs: object) -> bool:
    """Whether a claim holds; parts that are unknown claim nothing."""
    if isinstance(mine, Unknown):
        return True
    if isinstance(mine, PhpArray):
        items = dict(enumerate(theirs)) if isinstance(theirs, list) else theirs
        if not isinstance(items, dict):
            return False
        held = {str(key): value for key, value in items.items()}
        known = all(agrees(each.value, held.get(str(key))) for key, each in mine.items.items())
        return known and (mine.rest is not None or held.keys() <= {str(key) for key in mine.items})
    return mine == theirs and type(mine) is type(theirs)


def mistakes(config: PhpConfig, answer: Any) -> list[str]:
    found = []
    for kind, settings in (("constants", config.constants), ("variables", config.variables)):
        theirs = answer[kind] or {}
        for name, setting in settings.items():
            if name in ("A", "B", "C", "a", "b", "l") and not agrees(setting.value, theirs.get(name)):
                found.append(f"{kind} {name}: claimed {setting.value!r}, php {theirs.get(name)!r}")
        unheard = {name for name in theirs if name != "ended"} - settings.keys()
        if unheard and not config.opaque:
            found.append(f"{kind} {unheard} were not seen")
    return found


def test_no_claim_is_wrong_in_any_environment(tmp_path: Path) -> None:
    seed = int(os.environ.get("OPSCTL_TEST_SEED", "20250"))
    for number in range(PROGRAMS):
        writer = Writer(seed * 1000 + number)
        program = "\n".join(writer.statement(2) for _ in range(writer.choose.randrange(2, 8)))
        (tmp_path / f"{number}.php").write_text(f"<?php\n{program}\n")
    php_answers(tmp_path)
    claims = judged = 0
    for number in range(PROGRAMS):
        file = tmp_path / f"{number}.php"
        config = read_config(HostFiles(Path("/")), file)
        settings = itertools.chain(config.constants.values(), config.variables.values())
        claims += sum(not isinstance(setting.value, Unknown) for setting in settings)
        for index, environment in enumerate(ENVIRONMENTS):
            answer = json.loads((tmp_path / f"{number}.{index}.json").read_text())
            # A site whose configuration ends the program does not run.
            if "ended" in (answer["variables"] or {}):
                assert mistakes(config, answer) == [], f"seed {seed}, {environment}:\n{file.read_text()}"
                judged += 1
    assert judged > PROGRAMS
    assert claims > PROGRAMS / 2
