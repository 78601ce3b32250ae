"""Files, the first time and unchanged, beside borg and restic (Debian's), which store them encrypted as well.

What opsctl takes is that of its files, as the manifest says; a run has a database besides, which the others have not.
"""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backup.context import Host
from backup.manifest import Manifest
from backup.run import run_backup
from benchmarks.harness import compare, show
from benchmarks.peer_programs import Borg, Peer, Restic, require_peers
from opsctl.stack.settings import SiteSection
from tests.support.host import make_host
from tests.support.mariadb import running_server

FILES = 3000
BYTES = 1_060_000_000


@dataclass(frozen=True)
class Place:
    """A site with its uploads, and room for a repository of each contender."""

    directory: Path
    host: Host

    @property
    def site(self) -> Path:
        """The site's files."""
        return self.directory / "root/srv/site"

    def opsctl(self) -> float:
        """Back up; the seconds that files took."""
        return files_s(run_backup(self.host))

    def opsctl_first(self) -> float:
        """Likewise, into an empty repository."""
        shutil.rmtree(self.directory / "repository", ignore_errors=True)
        return self.opsctl()

    def first(self, peer: Peer) -> None:
        """Back up with another program, into an empty repository."""
        peer.anew()
        peer.store(self.site)


def files_s(manifest: Manifest) -> float:
    """The seconds of a backup that its files took."""
    return sum(phase.duration_s for phase in manifest.phases if phase.name.startswith("files-"))


@contextmanager
def uploads(count: int, size: int) -> Iterator[Place]:
    """So many files with so many bytes in all, which do not compress, as pictures do not."""
    with running_server(("--log-bin=bin", "--server-id=7")) as server, tempfile.TemporaryDirectory(prefix="o-") as name:
        directory = Path(name)
        directory.chmod(0o711)
        chance = random.Random(1)
        for number in range(count):
            place = directory / f"root/srv/site/uploads/{2000 + number % 20}/{number % 12:02}/photo-{number}.jpg"
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(chance.randbytes(size // count))
        site = SiteSection(name="site", kind="static", paths=(Path("/srv/site"),))
        yield Place(directory, make_host(directory, server, sites=[site]))


def main() -> None:
    """Time the first backup of 3,000 uploads, and one in which nothing changed."""
    require_peers()
    with uploads(FILES, BYTES) as place:
        borg, restic = Borg(place.directory), Restic(place.directory)
        first: dict[str, Callable[[], object]] = {
            "borg, zstd,1": partial(place.first, borg),
            "restic": partial(place.first, restic),
            "opsctl, its files": place.opsctl_first,
        }
        show(f"First backup of {FILES:,} files, {BYTES / 1e9:.2f} GB", compare(first, warm_up=False), "aim at 1.0")
        again: dict[str, Callable[[], object]] = {
            "borg, zstd,1": partial(borg.store, place.site),
            "restic": partial(restic.store, place.site),
            "opsctl, its files": place.opsctl,
        }
        show("Nothing changed", compare(again), "aim at 0.5 s and 1.0")
        last = run_backup(place.host)
        print(f"  stored for it: {last.stored_size:,} bytes, database and keys included; kept: {last.files[0].kept}")
