"""Check 7, nginx vhosts: every server name is in the restored configuration, and nginx accepts it."""

from pathlib import Path

from backup.manifest import WebServer
from opsctl.core.errors import OpsError
from opsctl.core.process import Completed, run
from opsctl.core.result import Result
from opsctl.core.sandbox import Mount
from opsctl.stack.nginx import NginxConfig, read_nginx
from restore_drill.checks.needs import missing_secrets, need_files
from restore_drill.checks.nginx_room import Needs, read_needs
from restore_drill.checks.php import write_room
from restore_drill.checks.tally import Tally, sentence
from restore_drill.checks.view import in_view, resolve, site_paths, tree_words
from restore_drill.restored import Restored

TIMEOUT_S = 120.0
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# Said by nginx where this machine, not what was restored, is at fault.
_NOT_ITS_FAULT = {
    "Address family not supported": "this machine has no IPv6, which the configuration listens on",
    "dlopen()": "this machine lacks an nginx module that the configuration loads",
    "RTNETLINK": "addresses that the configuration listens on could not be set up in the sandbox",
    "bwrap:": "the sandbox could not be made",
}


class Vhosts:
    """Passes for a stack without a web server, saying so: what does not exist cannot be lost."""

    id = "vhosts"
    title = "nginx vhosts"

    def run(self, restored: Restored) -> Result:
        """Judge the configuration as a whole. Raises CouldNotRunError when the files are not there."""
        server = restored.manifest.web_server
        if server is None:
            return Tally("every server name is restored and nginx accepts the configuration").result(
                self, "the stack has no web server"
            )
        tally = Tally(
            f"all {len(server.server_names)} server names are in the restored tree, and nginx -t accepts it",
            figures={"server_names": len(server.server_names), "found": 0},
        )
        need_files(restored)
        config = self._names(restored, server, tally)
        if config is not None:
            self._test(restored, server, config, tally)
        return tally.result(self, f"all {len(server.server_names)} server names; nginx -t accepts the configuration")

    def _names(self, restored: Restored, server: WebServer, tally: Tally) -> NginxConfig | None:
        try:
            config = read_nginx(restored.paths.tree, Path(server.config))
        except OpsError as error:
            tally.problem(f"{error.message} ({error.where})", hint="run on the host: nginx -t")
            return None
        missing = [name for name in server.server_names if name not in config.server_names]
        tally.figures |= {"found": len(server.server_names) - len(missing), "files": len(config.files)}
        if missing:
            tally.problem(
                f"{len(missing)} server names are gone: {sentence(missing)}",
                hint="look at [nginx] paths in opsctl.toml: do they hold every vhost file that is included?",
            )
        return config

    def _test(self, restored: Restored, server: WebServer, config: NginxConfig, tally: Tally) -> None:
        done = nginx_test(restored, server.config, read_needs(restored.paths.tree, config.files))
        if done.ok:
            return
        said = _complaint(done)
        lost = _lost_keys(restored, config, done)
        blameless = next((why for mark, why in _NOT_ITS_FAULT.items() if mark in done.stderr), None)
        if lost or blameless:
            tally.unjudged.append(blameless or f"{sentence(lost)} is not in the keys archive")
            tally.hint = tally.hint or said
        else:
            tally.problem(f"nginx -t: {said}", hint="run on the host: nginx -t; is that file below [nginx] paths?")


def nginx_test(restored: Restored, config: str, needs: Needs) -> Completed:
    """Run `nginx -t` on the restored tree at its original paths; return how it ended, whatever its exit status."""
    shown = sorted(site_paths(restored.manifest))
    view = [*tree_words(restored.paths.tree, shown), *needs.room_words(restored.paths.tree, shown)]
    mounts = [Mount(write_room(restored.paths, "hosts", needs.hosts()), Path("/etc/hosts"))]
    if _CERTIFICATES.is_file():  # the system's own list of authorities, which no backup needs to hold
        mounts.append(Mount(_CERTIFICATES.resolve(), _CERTIFICATES))
    cmd = in_view(needs.test_command(config), view, mounts=mounts, capabilities=needs.capabilities)
    return run(cmd, timeout_s=TIMEOUT_S, check=False)


def _lost_keys(restored: Restored, config: NginxConfig, done: Completed) -> list[str]:
    """Private keys that nginx misses because the keys archive does."""
    missing = set(missing_secrets(restored))
    named = [str(key) for key in config.private_keys if str(key) in done.stderr]
    return [key for key in named if not missing.isdisjoint((key, resolve(restored.paths.tree, key)))]


def _complaint(done: Completed) -> str:
    """The first thing that nginx, or the way to it, complains of."""
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    severe = [line for line in lines if "[emerg]" in line or "[crit]" in line]
    said = (severe or lines or [f"exited with {done.status}"])[0]
    return said.removeprefix("nginx: ").removeprefix("[emerg] ")
