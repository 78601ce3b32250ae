"""Runs every command, with success and with failure, on a host of which every secret is known."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.overview.demo.stack import DemoStack
from tests.integration.secrets import failing, watch
from tests.integration.secrets.commands import USES
from tests.integration.secrets.secret_host import SecretHost
from tests.integration.secrets.watch import Watched
from tests.support.exports import chat, write

PLAIN: tuple[str, ...] = ()
DETAILED = ("--debug", "--json")
AT_ONCE = 3


@dataclass(frozen=True)
class Run:
    """One run of a command, and how it had to end."""

    path: str
    expected: int
    watched: Watched


@dataclass
class Story:
    """A host, and everything that was run on it."""

    host: SecretHost
    runs: list[Run] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def tell(self) -> None:
        """Run everything with success, then with every failure, each in both forms."""
        self._set_up()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            apart = [threads.submit(self._succeed, path, DETAILED) for path, use in USES.items() if use.apart]
            for path, use in USES.items():
                forms = () if use.apart else (DETAILED,) if use.once else (PLAIN, DETAILED)
                self.runs += [self._succeed(path, form) for form in forms]
            failing.broken_archive(self.host)
            self._mangle_the_site()
            self.runs += threads.map(lambda each: self._run(*each), list(self._failures()))
            self.runs += [done.result() for done in apart]
        demo = self.host.directory / "demo"
        self.host.collect_machine(demo / "opsctl")
        self.host.collect_stack(DemoStack.open(demo / "customer"))

    def of(self, path: str) -> list[Run]:
        """The runs of a command."""
        return [run for run in self.runs if run.path == path]

    def _set_up(self) -> None:
        host = self.host
        host.plant_on_the_host()
        host.collect_stack(host.stack)
        host.log_every_statement()
        first = watch.opsctl([*host.init_words()], self._new("log"))
        assert first.code == 0, first
        host.collect_machine(host.directory)
        host.run_accounts_sql()
        host.add_vault()
        host.add_repository()
        host.add_anomalies()
        host.add_health()
        write(host.directory / "chat.txt", chat(0, 30))
        host.write_inventory()
        for make in failing.EARLY:
            make(host)

    def _mangle_the_site(self) -> None:
        settings = failing.mangled_site(self.host)
        self.runs.append(self._run("backup run", ["backup", "run", "--config", str(settings)], 0))

    def _succeed(self, path: str, form: tuple[str, ...]) -> Run:
        return self._run(path, self._words(path, USES[path].words, form), USES[path].code)

    def _failures(self) -> Iterator[tuple[str, list[str], int]]:
        for path, use in USES.items():
            words = use.words if use.failing_words is None else use.failing_words
            for name, code in use.failures:
                for form in (PLAIN, DETAILED):
                    settings = self.host.directory / f"{name}.toml"
                    yield path, self._words(path, words, form, settings), code

    def _words(self, path: str, words: str, form: tuple[str, ...], settings: Path | None = None) -> list[str]:
        host = self.host
        named = {"dir": host.directory, "root": host.stack.root, "new": self._new("new"), "finding": host.finding()}
        filled = words.format(**named).split()
        config = () if "--config" in filled else ("--config", str(settings or host.config))
        return [*path.split(), *filled, *config, "--lock-wait", "120", *form]

    def _run(self, path: str, words: list[str], expected: int) -> Run:
        return Run(path, expected, watch.opsctl(words, self._new("log")))

    def _new(self, kind: str) -> Path:
        return self.host.directory / f"{kind}-{next(self._numbers)}"
