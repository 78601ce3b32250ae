"""The archives of one backup in the making: sealed, published, read back; deleted again when the backup fails."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

from backup import layout
from backup.codec import read_back, seal
from backup.context import Host
from backup.manifest import Artefact, Kind, Phase
from opsctl.core.errors import OpsError
from opsctl.core.pipeline import Observer, Stage
from opsctl.core.process import Completed


def accept(done: list[Completed]) -> None:
    """Publish whatever a pipeline without a program of its own produced: its stages have raised what was wrong."""


class Archives:
    """Collects artefacts, and the duration of each phase, until the manifest describes them."""

    def __init__(self, host: Host, backup_id: str) -> None:
        self._host = host
        self._prefix = layout.backup(host.stack.name, backup_id)
        self.backup_id = backup_id
        self.artefacts: list[Artefact] = []
        self.phases: list[Phase] = []

    @contextlib.contextmanager
    def phase(self, name: str, title: str, *, total_bytes: int | None = None) -> Iterator[None]:
        """Tell the operator what begins, and note how long it took."""
        self._host.progress.step(title, total_bytes=total_bytes)
        started = time.monotonic()
        yield
        self.phases.append(Phase(name=name, duration_s=round(time.monotonic() - started, 3)))

    def seal(
        self,
        name: str,
        kind: Kind,
        form: str,
        producer: Sequence[Stage],
        *,
        approve: Callable[[list[Completed]], None] = accept,
        observe: tuple[Observer, ...] = (),
        base: str | None = None,
        place: int | None = None,
    ) -> Artefact:
        """Seal what `producer` produces, publish it under `<name>.<form>`, and compare what is read back.

        `base` is the key of the archive that it is an increment to; `place` is its number among the artefacts, when it
        has to be unpacked before some that were sealed already.

        `approve` receives how the producer's programs ended, before anything is published, and raises when that is not
        the whole story. Raises what `codec.seal` and the store raise.
        """
        host, settings = self._host, self._host.backup
        recipients = settings.keys_recipients if kind == "keys" else settings.recipients
        key = f"{self._prefix}{name}.{form}"
        with host.store.create(key) as upload:
            sealed, done = seal(
                producer,
                upload,
                recipients=recipients,
                level=settings.compression_level,
                threads=settings.parallel,
                timeout_s=settings.timeout_s,
                stall_s=settings.stall_s,
                observe=observe,
                advance=host.progress.advance,
            )
            approve(done)
            stored = upload.commit()
        artefact = Artefact(name=name, kind=kind, key=key, sealed=sealed, recipients=recipients, base=base)
        self.artefacts.insert(len(self.artefacts) if place is None else place, artefact)
        read_back(host.store, stored, sealed)
        return artefact

    def carry(self, artefacts: Sequence[Artefact]) -> None:
        """Take artefacts of earlier backups for this one's: they lie where they lay."""
        self.artefacts.extend(artefacts)

    def of(self, name: str) -> Artefact:
        """The artefact of that name. Raises KeyError."""
        return {artefact.name: artefact for artefact in self.artefacts}[name]

    def discard(self) -> None:
        """Delete what was published of an unfinished backup, its manifest first, as far as the store allows.

        Nobody can see any of it, so a store that does not is no further error.
        """
        with contextlib.suppress(OpsError):
            keys = [item.key for item in self._host.store.list(self._prefix)]
            for key in sorted(keys, key=lambda key: not key.endswith(layout.MANIFEST)):
                with contextlib.suppress(OpsError):
                    self._host.store.delete(key)
