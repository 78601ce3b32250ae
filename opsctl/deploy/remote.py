"""Talks to the agent on a host: each question is one command there, whatever it asks for."""

import io
import itertools
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from opsctl.core.errors import LockedError, OpsError, SettingsError
from opsctl.core.process import command
from opsctl.core.runner import StreamRunner
from opsctl.deploy.plan import Plan
from opsctl.deploy.resources import File, Program, Resource

OBSERVE_TIMEOUT_S = 120.0
APPLY_TIMEOUT_S = 3600.0
UNLOCK_TIMEOUT_S = 900.0
CARRY_TIMEOUT_S = 3600.0
RESTORE_TIMEOUT_S = 24 * 3600.0
CHUNK = 1 << 18
HOME = "/var/lib/opsctl/deploy"
_LOCKED, _STALE = 75, 76
# Reads the agent from standard input, where also its question is: nothing is left on the host by looking.
_BEGIN = (
    "import sys,tempfile,runpy;i=sys.stdin.buffer;f=tempfile.NamedTemporaryFile(suffix='.pyz');"
    "f.write(i.read(int(i.readline())));f.flush();sys.argv[0]=f.name;runpy.run_path(f.name,run_name='__main__')"
)
# A bundle is stored, then applied by a unit of its own: a connection that is cut does not cut the change.
_START = (
    "install -d -m 0755 {home}/..; umask 077; mkdir -p {home}; cd {home}; rm -rf {id}.new; mkdir {id}.new; "
    "head -c {agent} > {id}.new/agent.pyz; head -c {bundle} > {id}.new/bundle.json; {rest}sync {id}.new/*; "
    "if test -e {id}; then rm -r {id}.new; else mv -T {id}.new {id}; fi; "
    "exec systemd-run --quiet --collect --wait --pipe --unit=opsctl-deploy-{id} "
    "/usr/bin/python3 {home}/{id}/agent.pyz {word} {home}/{id}"
)
_REST = "cat > {id}.new/release.tar.gz; "
_UNIT = ("systemd-run", "--quiet", "--collect", "--wait", "--pipe")


class EndedError(OpsError):
    """What was begun on the host was killed there: the next one takes it back."""


class Agent:
    """The agent on one host, as the account of `runner`; with `sudo` when that is not root."""

    def __init__(self, runner: StreamRunner, *, sudo: bool) -> None:
        self._runner = runner
        self._sudo = ("sudo", "-n") if sudo else ()

    def observe(self, resources: tuple[Resource, ...]) -> Mapping[str, Any]:
        """What there is: `states`, their `fingerprints` by key, and the `fingerprint` of all. Raises OpsError."""
        question = json.dumps({"resources": [_question(each) for each in resources]}).encode()
        return self._ask("observe", question, timeout_s=OBSERVE_TIMEOUT_S)

    def survey(self) -> dict[str, str]:
        """What there is besides resources, such as ports and keys: names and what each is like. Raises OpsError."""
        found: dict[str, str] = self._ask("survey", b"", timeout_s=OBSERVE_TIMEOUT_S)["survey"]
        return found

    def status(self) -> Mapping[str, Any]:
        """Who holds the host's lock, what waits for a confirmation, the last applications. Raises OpsError."""
        return self._ask("status", b"", timeout_s=OBSERVE_TIMEOUT_S)

    def wait(self, seconds: float) -> None:
        """Wait so long, at most, until nobody else changes the host. Raises OpsError."""
        self._ask("wait", json.dumps({"seconds": seconds}).encode(), timeout_s=seconds + OBSERVE_TIMEOUT_S)

    def unlock(self, who: Mapping[str, str]) -> Mapping[str, Any]:
        """End what keeps others from changing the host, and take it back; say what that was. Raises OpsError.

        It is done by a unit of the host's own: taking a firewall back may cut this connection.
        """
        unit = (*_UNIT, "--unit=opsctl-unlock")
        return self._ask("unlock", json.dumps(dict(who)).encode(), timeout_s=UNLOCK_TIMEOUT_S, unit=unit)

    def carry(self, programs: Sequence[Program]) -> list[str]:
        """Bring over the wheels that the host does not have, and return their names.

        Raises OpsError, SettingsError when one is gone here.
        """
        asked = [each.model_dump(mode="json", include={"name", "version", "wheels"}) for each in programs]
        if not asked:
            return []
        missing = self._ask("missing", json.dumps({"resources": asked}).encode(), timeout_s=OBSERVE_TIMEOUT_S)
        wanted = set(missing["missing"])
        carried = ((wheel.sha256, each.source / wheel.file) for each in programs for wheel in each.wheels)
        paths = {digest: path for digest, path in carried if digest in wanted}
        if paths:
            self._ask("store", _stream(paths), timeout_s=CARRY_TIMEOUT_S)
        return [path.name for path in paths.values()]

    def restore(self, order: Mapping[str, Any], archive: Iterable[bytes]) -> None:
        """Put what was restored in place on a host without data. Raises OpsError; then the host is as it was."""
        first = json.dumps(order).encode() + b"\n"
        self._ask("restore", itertools.chain([first], archive), timeout_s=RESTORE_TIMEOUT_S)

    def apply(self, plan: Plan, *, who: Mapping[str, str], revert_s: int) -> Mapping[str, Any]:
        """Make a plan's changes, all or none. Raises OpsError when none were made, UnreachableError if that is open.

        `who`: who, from where, since when and why, as whoever finds the host locked will read it.
        """
        changed = set(plan.changed)
        bundle = {
            "who": {**who, "plan": plan.id},
            "about": {"stack": plan.stack, "host": plan.target.host, "sha256": plan.digest, "changes": len(changed)},
            "resources": [_told(each, change=each.key in changed) for each in plan.desired.resources],
            "fingerprint": plan.fingerprint,
            "states": plan.states,
            "actions": [each.model_dump() for each in plan.desired.actions],
            "checks": [each.model_dump() for each in plan.desired.checks],
            "health": plan.desired.health,
            "revert_s": revert_s,
        }
        return self._start("apply", plan.id, bundle)

    def release(self, identifier: str, bundle: Mapping[str, Any], archive: Iterable[bytes]) -> Mapping[str, Any]:
        """Put a release of an application in place of the one before. Raises OpsError when nothing came of it.

        `identifier` is what its name ends in; `archive` are the parts of its files, as releases/pack.py packs them.
        """
        return self._start("release", identifier, bundle, archive)

    def rollback(self, identifier: str, bundle: Mapping[str, Any]) -> Mapping[str, Any]:
        """Go back to a release before. Raises OpsError when nothing came of it."""
        return self._start("rollback", identifier, bundle)

    def releases(self, homes: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """The releases of the sites with these directories, the oldest first. Raises OpsError."""
        question = json.dumps({"homes": list(homes)}).encode()
        return dict(self._ask("releases", question, timeout_s=OBSERVE_TIMEOUT_S))

    def _start(
        self, word: str, identifier: str, bundle: Mapping[str, Any], rest: Iterable[bytes] | None = None
    ) -> Mapping[str, Any]:
        """Send a bundle and let a unit of the host's own work on it to its end."""
        agent, told = zipped(), json.dumps(bundle).encode()
        more = "" if rest is None else _REST.format(id=identifier)
        script = _START.format(home=HOME, id=identifier, agent=len(agent), bundle=len(told), rest=more, word=word)
        words = command(*self._sudo, "sh", "-euc", script)
        done = self._runner.run(words, timeout_s=APPLY_TIMEOUT_S, stdin=itertools.chain((agent, told), rest or ()))
        if "was already loaded" in done.stderr:
            raise LockedError("this very plan is being applied by somebody else", where=self._runner.where)
        if not done.stdout and not done.stderr.strip():
            raise EndedError(
                "the application was ended on the host before it was done",
                where=self._runner.where,
                hint="what it did is taken back by the next one; look: opsctl deploy status",
            )
        return self._answer(done.status, done.text(), done.stderr)

    def resume(self) -> str | None:
        """Take back what an interrupted apply has left; the id of one that is whole and waits for its confirmation."""
        waiting: str | None = self._ask("resume", b"", timeout_s=APPLY_TIMEOUT_S)["waiting"]
        return waiting

    def confirm(self, plan_id: str) -> Mapping[str, Any]:
        """Keep a guarded change: to be called over a connection that was made after it."""
        words = command(*self._sudo, "python3", f"{HOME}/{plan_id}/agent.pyz", "confirm", plan_id)
        done = self._runner.run(words, timeout_s=OBSERVE_TIMEOUT_S)
        return self._answer(done.status, done.text(), done.stderr)

    def _ask(
        self, word: str, question: bytes | Iterable[bytes], *, timeout_s: float, unit: tuple[str, ...] = ()
    ) -> Mapping[str, Any]:
        agent = zipped()
        words = command(*self._sudo, *unit, "python3", "-c", _BEGIN, word)
        first = b"%d\n" % len(agent) + agent
        stdin = first + question if isinstance(question, bytes) else itertools.chain([first], question)
        done = self._runner.run(words, timeout_s=timeout_s, stdin=stdin)
        return self._answer(done.status, done.text(), done.stderr)

    def _answer(self, status: int, said: str, errors: str) -> Mapping[str, Any]:
        """The agent's answer. Raises OpsError with what it says, or with what was said in its place."""
        try:
            answer: Mapping[str, Any] = json.loads(said.splitlines()[-1])
        except (ValueError, IndexError):
            lines = (errors or said).strip().splitlines()[-3:]
            raise OpsError(
                "the host cannot run what it has to: " + " | ".join(lines),
                where=self._runner.where,
                hint="does the account have sudo without a password, and the host python3?",
            ) from None
        if status == _LOCKED:
            raise _locked(answer["holder"], self._runner.where)
        if status == _STALE:
            raise OpsError(
                f"the host is not as the plan has seen it: {answer['changed']}",
                where=self._runner.where,
                hint="make a new plan: opsctl deploy plan",
            )
        if status != 0:
            raise OpsError(
                f"nothing was changed: {answer['why']}", where=self._runner.where, hint="opsctl deploy status"
            )
        return answer


def _locked(holder: Mapping[str, Any], where: str) -> LockedError:
    """Who is in the way, and what can be done about it."""
    if holder.get("foreign"):
        pid = holder["pid"]
        return LockedError(
            f"the lock is held by process {pid}, which is no deployment",
            where=where,
            hint=f"look at it there: ps {pid}; the lock ends with it",
        )
    since, why = holder.get("since"), holder.get("why")
    words = f"{holder.get('who', 'a run that began a moment ago')}"
    words += (f" since {since}" if since else "") + (f": {why}" if why else "")
    if "waits" in holder:
        return LockedError(
            f"a change waits for its confirmation, made by {words}",
            where=where,
            hint="it is confirmed or taken back soon: --lock-wait 600; at once: opsctl deploy unlock",
        )
    return LockedError(
        f"somebody else changes this host: {words}",
        where=where,
        hint="wait for it: --lock-wait 600; look at it: opsctl deploy status",
    )


def _stream(paths: Mapping[str, Path]) -> Iterator[bytes]:
    """Wheels as the agent takes them in. Raises SettingsError."""
    try:
        sizes = [(digest, path.stat().st_size) for digest, path in paths.items()]
        yield json.dumps(sizes).encode() + b"\n"
        for path in paths.values():
            with path.open("rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
    except OSError as error:
        raise SettingsError(
            f"a wheel of the plan cannot be read: {error.strerror}",
            where=str(error.filename),
            hint="put it back, or make a new plan: opsctl deploy plan",
        ) from error


def zipped() -> bytes:
    """The agent as a program of one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in files("opsctl.deploy.agent").iterdir():
            if entry.name.endswith(".py"):
                archive.writestr(zipfile.ZipInfo(f"agent/{entry.name}"), entry.read_bytes())
        archive.writestr(
            zipfile.ZipInfo("__main__.py"),
            "import sys\nfrom agent.__main__ import main\nsys.exit(main(sys.argv[1:]))\n",
        )
    return out.getvalue()


def _told(resource: Resource, *, change: bool) -> dict[str, Any]:
    """What the agent has to know to make a resource; secrets only where it writes them. Raises OpsError."""
    if not isinstance(resource, File):
        return {**resource.model_dump(mode="json"), "change": change}
    if change and resource.content is None:
        raise OpsError("the plan was not given its secrets", where=resource.path)
    return {**(resource if change else resource.sealed()).model_dump(), "change": change}


def _question(resource: Resource) -> dict[str, Any]:
    """What the agent has to know to look; nothing secret."""
    asked = {"type", "name", "path", "look", "secret"}
    return {name: value for name, value in resource.model_dump().items() if name in asked}
