"""Hostile faults: what was restored tries to break out of the sandbox, and evidence is taken that it could not."""

import base64
import contextlib
import json
import re
import socket as sockets
from pathlib import Path

from opsctl.core.errors import OpsError
from opsctl.core.result import Result
from opsctl.core.sandbox import Mount
from restore_drill.checks.needs import need_server
from restore_drill.checks.php import PROGRAMS, program, run_php
from restore_drill.checks.tally import Tally
from restore_drill.checks.view import resolve, site_paths, tree_words
from restore_drill.checks.wordpress import code_directory, wordpress_sites
from restore_drill.prepare import OPTIONS
from restore_drill.restored import Restored
from restore_drill.scratch import DATA
from restore_drill.self_test import streams
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import SANDBOX, Fault, InapplicableError
from restore_drill.self_test.faults_in_files import first

BAIT = "server_audit"
_LOADED = "SELECT PLUGIN_NAME AS name FROM information_schema.PLUGINS WHERE PLUGIN_LIBRARY IS NOT NULL ORDER BY 1"
_LOG = "opsctl-bait.log"
_ANSWER = re.compile(rb"^opsctl-attempts:([A-Za-z0-9+/=]+)$", re.MULTILINE)


def bait_options() -> bytes:
    """Option files' lines that load a plugin that Debian's server brings along, and let it write into the datadir."""
    lines = (f"plugin-load-add={BAIT}", "server-audit-logging=ON", f"server-audit-file-path={DATA / _LOG}")
    return "\n".join(("", "[mariadbd]", *lines, "[server]", *lines, "[mysqld]", *lines, "")).encode()


class NoPluginLoaded:
    """The server runs with the key plugin at most, and the bait has written nothing."""

    id = SANDBOX
    title = "the restored option file was not obeyed"

    def run(self, restored: Restored) -> Result:
        """Take the evidence. Raises CouldNotRunError when the server does not run."""
        tally = Tally("no plugin of a restored option file is loaded")
        loaded = [str(row["name"]) for row in need_server(restored).query(_LOADED)]
        tally.figures["plugins"] = list(loaded)
        for name in loaded:
            if name != "file_key_management":
                tally.problem(f"the plugin {name} is loaded")
        if (restored.paths.data / _LOG).exists():
            tally.problem(f"the plugin has written {_LOG}")
        return tally.result(self, f"loaded from libraries: {', '.join(loaded) or 'nothing'}; {BAIT} is not among them")


class NothingReached:
    """A configuration runs once more as WordPress' would; what it tried has failed, and nobody was called."""

    id = SANDBOX
    title = "the restored configuration reached nothing"

    def __init__(self, files: tuple[Path, ...], listener: sockets.socket) -> None:
        self._files = files
        self._listener = listener

    def run(self, restored: Restored) -> Result:
        """Take the evidence."""
        tally = Tally(f"none of {len(self._files)} files outside can be read, and no connection be opened")
        attempts = _attempts(restored)
        succeeded = [what for what, error in attempts.items() if error is None]
        for what in succeeded:
            tally.problem(f"{what} was reached")
        if len(attempts) != len(self._files) + 1:
            tally.unjudged.append("the hostile code did not run to its end")
        if _was_called(self._listener):
            tally.problem("somebody connected to the listener on this machine")
        said = "; ".join(f"{Path(what).name}: {str(error).rpartition(': ')[2]}" for what, error in attempts.items())
        return tally.result(self, f"{said}; nobody called")


def _attempts(restored: Restored) -> dict[str, str | None]:
    site = wordpress_sites(restored.manifest)[0]
    code = code_directory(restored.paths.tree, site)
    handover = Path(resolve(restored.paths.tree, f"{code}/wp-settings.php"))
    done = run_php(
        restored.paths,
        "wp_load.php",
        {"host": site.http_host or "localhost", "code": code},
        view=tree_words(restored.paths.tree, site_paths(restored.manifest)),
        mounts=[Mount(program(restored.paths, "self_test_attempts.php"), handover)],
    )
    answers = _ANSWER.findall(done.stdout)
    if not answers:
        raise OpsError(f"the hostile configuration did not come to its end: php exited with {done.status}")
    attempts: dict[str, str | None] = json.loads(base64.b64decode(answers[-1]))
    return attempts


def _option_file(bench: Bench) -> None:
    """In the option file that mariadb-backup leaves, in one beside it that a server would find, and in the host's."""
    bench.change_stream(streams.replaced(OPTIONS, lambda text: text + bait_options()))
    configs = [path for path in bench.files() if path.startswith("etc/mysql/") and path.endswith(".cnf")]
    bench.change_files({path: bench.content(path) + bait_options() for path in configs})
    bench.publish()
    bench.extra_checks = (NoPluginLoaded(),)


def _configuration(bench: Bench) -> None:
    """What it tries to read: the identities, and a file that everybody on this machine may read."""
    sites = wordpress_sites(bench.manifest)
    path = bench.model.facts.configs.get(sites[0].name) if sites else None
    if path is None or not bench.holds(path):
        raise InapplicableError("the stack has no WordPress with a configuration of its own")
    drill = bench.model.host.drill
    files = (*drill.identity_files, *drill.keys_identity_files, _readable_by_all(bench))
    listener = bench.closing.enter_context(contextlib.closing(_listen()))
    targets = {
        "files": [str(file) for file in files],
        "addresses": [f"tcp://127.0.0.1:{listener.getsockname()[1]}"],
    }
    code = (PROGRAMS / "self_test_hostile.php").read_text().removeprefix("<?php\n")
    code = code.replace("@@TARGETS@@", base64.b64encode(json.dumps(targets).encode()).decode())
    bench.change_files({path: first(code.encode())(bench.content(path))})
    bench.publish()
    bench.extra_checks = (NothingReached(files, listener),)


def _readable_by_all(bench: Bench) -> Path:
    """A file below a directory that the sandbox's user may pass through: only the sandbox keeps it from him."""
    path = bench.model.root / f"bait-{bench.directory.name}"
    path.write_text("readable by everybody\n")
    path.chmod(0o644)
    return path


def _listen() -> sockets.socket:
    """A listener on this machine's loopback that is proved to answer."""
    listener = sockets.create_server(("127.0.0.1", 0))
    sockets.create_connection(listener.getsockname()).close()
    listener.accept()[0].close()
    listener.setblocking(False)
    return listener


def _was_called(listener: sockets.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return False
    return True


FAULTS = (
    Fault("hostile-options", "hostile", "a restored option file loads a plugin", SANDBOX, _option_file),
    Fault("hostile-config", "hostile", "a configuration reads identities and calls somebody", SANDBOX, _configuration),
)
