"""The releases of a site as they lie on the host, and what is known of each.

/srv/SITE/releases/20260501T023000Z-1a2b3c4d/        the code, root's
/srv/SITE/releases/20260501T023000Z-1a2b3c4d.json    who, why, digest, and what became of it
/srv/SITE/current -> releases/…                      the one that is live
/srv/SITE/next -> releases/…                         the one that is tried; else the same
/srv/SITE/failed/20260501T023000Z-1a2b3c4d/ .json    one that did not work, with what was seen
/srv/SITE/shared/                                    what outlives releases
"""

import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from . import host

TRIED, GOOD, LEFT, FAILED = "tried", "good", "left", "failed"
"""What a release is: begun and not judged, one that worked, one that was rolled back from, one that did not work."""
FAILED_KEPT = 3
BEGUN = ".new"
_NAME = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_FORM = "%Y%m%dT%H%M%SZ"
_EMPTY = "first"

Facts = dict[str, Any]


class Releases:
    """The releases of the site whose directory is `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.releases = home / "releases"
        self.failed = home / "failed"

    @property
    def current(self) -> str | None:
        """The name of the one that is live."""
        link = self.home / "current"
        return Path(os.readlink(link)).name if link.is_symlink() else None

    def known(self) -> list[Facts]:
        """All of them with what is known, the oldest first; those that failed among them."""
        found = [_facts(file) for each in (self.releases, self.failed) for file in each.glob("*.json")]
        return sorted(found, key=lambda facts: str(facts["name"]))

    def listed(self) -> list[Facts]:
        """For a person: as `known`, and which one is live."""
        return [{**facts, "live": facts["name"] == self.current} for facts in self.known()]

    def last_good(self) -> str | None:
        """The newest that worked before the one that is live."""
        current = self.current or ""
        good = [str(facts["name"]) for facts in self.known() if facts["state"] == GOOD]
        return max((name for name in good if name < current or not _NAME.fullmatch(current)), default=None)

    def new_name(self, ending: str) -> str:
        """The name of one that begins now (UTC), after all others even where the clock was set back."""
        newest = max((str(facts["name"]) for facts in self.known()), default="")
        now = time.time()
        while (name := f"{time.strftime(_FORM, time.gmtime(now))}-{ending}")[:16] <= newest[:16]:
            now += 1
        return name

    def find(self, wanted: str) -> str:
        """The name of a release by its name or the end of it. Raises AgentError."""
        names = [str(facts["name"]) for facts in self.known() if (self.releases / str(facts["name"])).is_dir()]
        for name in names:
            if wanted in (name, name.rpartition("-")[2]):
                return name
        raise host.AgentError(f"there is no release {wanted}; there are: {', '.join(names) or 'none'}")

    def note(self, name: str, **facts: Any) -> None:
        """Keep what is known of a release, beside what was known before."""
        file = self.releases / f"{name}.json"
        before = _facts(file) if file.exists() else {}
        data = json.dumps({**before, **facts, "name": name}, indent=1).encode()
        host.write(file, data, mode=0o600, owner="root", group="root")

    def point(self, link: str, name: str) -> None:
        """Let `current` or `next` lead to a release: whoever looks finds the old or the new."""
        path = self.home / link
        temporary = path.with_name(f".{link}.opsctl-new")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(f"releases/{name}")
        os.replace(temporary, path)
        host.sync_directory(self.home)

    def set_apart(self, name: str, said: str) -> None:
        """Move one that did not work to where a person can look at it, with what was seen."""
        self.note(name, state=FAILED, said=said)
        if (self.releases / name).exists():
            os.rename(self.releases / name, self.failed / name)
        os.replace(self.releases / f"{name}.json", self.failed / f"{name}.json")
        for directory in (self.releases, self.failed):
            host.sync_directory(directory)
        for old in sorted(self.failed.glob("*.json"))[:-FAILED_KEPT]:
            self._remove(old.with_suffix(""))

    def tidy(self, *, said: str = "it was interrupted before it had proved that it works") -> None:
        """Set apart what was begun and is not live; what a killed run had switched was switched back before."""
        for begun in self.releases.glob(f".*{BEGUN}"):
            shutil.rmtree(begun)
        current = self.current
        for facts in self.known():
            name = str(facts["name"])
            if name == current and facts["state"] == TRIED:
                self.note(name, state=GOOD)  # killed when all was done but this line
            elif facts["state"] == TRIED and not (self.releases / name).exists():
                (self.releases / f"{name}.json").unlink()
            elif facts["state"] in (TRIED, FAILED) and (self.releases / f"{name}.json").exists():
                self.set_apart(name, facts.get("said") or said)
        if current is not None:
            self.point("next", current)

    def prune(self, keep: int) -> None:
        """Remove the oldest beyond `keep`; never the one that is live, never the one to go back to."""
        names = sorted(str(facts["name"]) for facts in self.known() if facts["state"] in (GOOD, LEFT))
        stay = {self.current, self.last_good()}
        for name in names[:-keep]:
            if name not in stay:
                self._remove(self.releases / name)
        if self.current != _EMPTY:
            self._remove(self.releases / _EMPTY)

    def _remove(self, directory: Path) -> None:
        """Remove a release; one that is half removed has no name any more, and the next run does the rest."""
        going = self.releases / f".{directory.name}{BEGUN}"
        if directory.exists():
            os.rename(directory, going)
        directory.with_name(f"{directory.name}.json").unlink(missing_ok=True)
        if going.exists():
            shutil.rmtree(going)


def _facts(file: Path) -> Facts:
    facts: Facts = json.loads(file.read_text())
    return facts
