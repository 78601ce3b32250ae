"""A bench: one fault's own copy of the repository, and the means to alter it, before sealing or after."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

from backup import layout
from backup.catalog import Catalog, LineageRef
from backup.codec import Sealed, seal
from backup.documents import publish
from backup.filelist import parse_list
from backup.increments import set_of
from backup.layout import SIGNATURE
from backup.manifest import Artefact, FileSet, Manifest
from backup.segment import NO_RECORD, Segment
from opsctl.core.canonical import sha256_hex
from opsctl.core.errors import OpsError
from opsctl.core.ledger import SqliteLedger
from opsctl.core.pipeline import Source
from opsctl.core.signing import Namespace
from opsctl.core.store.directory import DirectoryStore
from restore_drill.context import DrillHost
from restore_drill.restored import Check
from restore_drill.self_test import archives, streams
from restore_drill.self_test.model import Model
from restore_drill.trust import HeadMemory

_SEAL_TIMEOUT_S = 6 * 3600.0
_STALL_S = 600.0


class Bench:
    """Objects that a fault does not touch are hard links to the private copy.

    `chain` are the manifests of the newest backup and its parents, the full one first; what is changed before sealing
    counts once it is published. `remembered`: the
    head that the drill host is to remember. `replay_server_id` and `extra_checks` are for the drill that follows;
    `closing` ends with it.
    """

    def __init__(self, model: Model, directory: Path) -> None:
        directory.mkdir(mode=0o700)
        (directory / "state").mkdir()
        self.model = model
        self.directory = directory
        self.store = DirectoryStore(directory / "repository")
        self.chain = list(model.copy.chain)
        self._changed = len(self.chain) - 1
        self.remembered = model.heads[0] if model.heads else None
        self.replay_server_id: int | None = None
        self.extra_checks: tuple[Check, ...] = ()
        self.closing = ExitStack()
        for item in model.store.list(""):
            target = self.store.directory / item.key
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(model.store.directory / item.key, target)

    @property
    def manifest(self) -> Manifest:
        """The newest backup's."""
        return self.chain[-1]

    @manifest.setter
    def manifest(self, changed: Manifest) -> None:
        self.chain[-1] = changed

    @property
    def catalog(self) -> Catalog:
        """What is in this copy, as the drill host believes it."""
        return replace(self.model.host, store=self.store).catalog

    def drill_host(self) -> DrillHost:
        """The drill host for this copy, which remembers the head that it is to remember."""
        host = self.model.host
        machine = host.machine.model_copy(update={"state_dir": self.directory / "state"})
        if self.remembered is not None:
            HeadMemory(machine.state_dir, host.stack, host.repository).remember(self.remembered)
        return replace(
            host,
            store=self.store,
            machine=machine,
            ledger=SqliteLedger(machine.state_dir / "ledger.sqlite"),
            replay_server_id=self.replay_server_id,
        )

    @property
    def manifest_key(self) -> str:
        """The key of the newest backup's manifest."""
        return manifest_key(self.manifest)

    # At rest

    def own(self, key: str) -> Path:
        """The file of an object, to be written to: it shares its bytes with the private copy no longer."""
        path = self.store.directory / key
        copy = self._fresh("own")
        shutil.copyfile(path, copy)
        copy.replace(path)
        return path

    def alter(self, key: str, change: Callable[[bytes], bytes]) -> None:
        """Give a small object other bytes."""
        path = self.own(key)
        path.write_bytes(change(path.read_bytes()))

    def replace(self, key: str, content: Path) -> None:
        """Put a file's bytes under a key, whether or not there were some."""
        copy = self._fresh("own")
        shutil.copyfile(content, copy)
        copy.replace(self.store.directory / key)

    def remove(self, *keys: str) -> None:
        """Take objects away."""
        for key in keys:
            self.store.delete(key)

    # Before sealing

    def publish(self, *, signer: str = "self-test", **changes: object) -> None:
        """Publish the manifest, with more changes, signed by one of the self-test's keys; before it those of parents
        that were changed, each naming the one before it."""
        for link in range(self._changed, len(self.chain) - 1):
            sha256 = self._publish(self.chain[link], signer)
            self.chain[link + 1] = self.chain[link + 1].model_copy(update={"parent_sha256": sha256})
        self.manifest = self.manifest.model_copy(update=changes)
        self._publish(self.manifest, signer)

    def publish_another(self, manifest: Manifest) -> str:
        """Publish a backup that is none of the chain; return the SHA-256 of its manifest."""
        return sha256_hex(
            publish(self.store, self.model.signer(), Namespace.MANIFEST, manifest_key(manifest), manifest)
        )

    def _publish(self, manifest: Manifest, signer: str) -> str:
        key = manifest_key(manifest)
        self.remove(key, key + SIGNATURE)
        return sha256_hex(publish(self.store, self.model.signer(signer), Namespace.MANIFEST, key, manifest))

    def reseal(self, name: str, content: Path, link: int = -1) -> None:
        """Seal other content as an artefact of a link of the chain, for the same recipients.

        Raises OpsError when it is no other content.
        """
        manifest = self.chain[link]
        artefact = manifest.artefact(name)
        sealed = self._seal(artefact.key, content, artefact.recipients)
        if sealed.plain_sha256 == artefact.sealed.plain_sha256:
            raise OpsError(f"the fault leaves {name} as it is")
        changed = artefact.model_copy(update={"sealed": sealed})
        artefacts = tuple(changed if each is artefact else each for each in manifest.artefacts)
        self.chain[link] = manifest.model_copy(update={"artefacts": artefacts})
        self._changed = min(self._changed, link % len(self.chain))

    def change_stream(self, *edits: streams.Edit, link: int = -1) -> None:
        """Change the database's stream, or that of another link of the chain; no manifest is published yet."""
        name = next(artefact.name for artefact in self.manifest.artefacts if artefact.kind == "database")
        source = self.model.plain(name, link)
        for edit in edits:
            target = self._fresh("stream")
            streams.rewrite(source, target, edit)
            source = target
        self.reseal(name, source, link)

    def content(self, path: str) -> bytes:
        """The content of a file of the host, from the newest archive of it. Raises KeyError when none holds it."""
        for artefact in reversed(list(self._holders([path]))):
            return archives.read(self.model.plain(artefact.name), path.lstrip("/"))
        raise KeyError(path)

    def holds(self, path: str) -> bool:
        """Whether some archive holds a file of the host."""
        return any(self._holders([path]))

    def files(self) -> list[str]:
        """All files, without directories and links, of the lists; without leading slashes."""
        names = [artefact.name for artefact in self.manifest.artefacts if artefact.kind == "list"]
        return [path for name in names for path in self._listed(name)]

    def _listed(self, name: str) -> Iterator[str]:
        with self.model.plain(name).open("rb") as lines:
            yield from (entry.path for entry in parse_list(lines, name) if entry.type == "file")

    def change_files(self, edits: Mapping[str, bytes | None], *, listed: bool = True) -> None:
        """Change files of the host, None to leave them out, in every archive that holds them; not published yet.

        With `listed` they were so when they were listed and counted; without, only the archive lacks what the list has.
        """
        edits = {path.lstrip("/"): data for path, data in edits.items()}
        sets = set()
        for artefact in self._holders(edits):
            target = self._fresh("archive")
            archives.rewrite(self.model.plain(artefact.name), target, edits)
            self.reseal(artefact.name, target)
            if artefact.kind == "files":
                sets.add(set_of(artefact))
        for name in sorted(sets) if listed else ():
            self._change_list(name, edits)

    def _holders(self, paths: Sequence[str] | Mapping[str, object]) -> Iterator[Artefact]:
        wanted = {path.lstrip("/") for path in paths}
        for artefact in self.manifest.artefacts:
            if artefact.kind in ("files", "keys") and wanted & archives.paths(self.model.plain(artefact.name)):
                yield artefact

    def _change_list(self, name: str, edits: archives.Edits) -> None:
        files = next(each for each in self.manifest.files if each.name == name)
        target = self._fresh("list")
        update = _rewrite_list(self.model.plain(f"files-{name}.list"), target, files, edits)
        self.reseal(f"files-{name}.list", target)
        sets = tuple(files.model_copy(update=update) if each is files else each for each in self.manifest.files)
        self.manifest = self.manifest.model_copy(update={"files": sets})

    # Binary logs

    def records(self) -> list[tuple[str, Segment]]:
        """The records of the lineage that the drill replays, with their keys."""
        for ref in reversed(self.catalog.lineages()):
            segments = self.catalog.segments(ref)
            if segments:
                return [(_record_key(segment), segment) for segment in segments]
        return []

    def replayed(self) -> list[tuple[str, Segment]]:
        """Those of them whose archives were copied: what was shipped since the backup."""
        return [(key, segment) for key, segment in self.records() if self.store.stat(segment.key) is not None]

    def change_segment(self, number: int, content: Path, **changes: object) -> None:
        """Seal other content as a segment, with changes in its record; chain and sign anew all that follows from it."""
        recipients = next(each.recipients for each in self.manifest.artefacts if each.kind == "database")
        records = self.records()
        before = [segment for _, segment in takewhile(lambda record: record[1].number < number, records)]
        previous = sha256_hex((self.store.directory / _record_key(before[-1])).read_bytes()) if before else NO_RECORD
        for key, segment in records[len(before) :]:
            update: dict[str, object] = {"previous": previous}
            if segment.number == number:
                update |= {"sealed": self._seal(segment.key, content, recipients), **changes}
            self.remove(key, key + SIGNATURE)
            data = publish(self.store, self.model.signer(), Namespace.SEGMENT, key, segment.model_copy(update=update))
            previous = sha256_hex(data)
        self._publish_head(LineageRef(records[0][1].server, records[0][1].lineage), previous)

    def _publish_head(self, ref: LineageRef, last_record: str) -> None:
        """State the changed lineage's end; heads that know another are as unknown as if they had never been."""
        heads = self.model.heads
        self.remembered = None
        if not heads:
            return
        for key in self.model.copy.heads:
            self.remove(key, key + SIGNATURE)
        update = {"last_record": last_record} if LineageRef(str(heads[0].server), str(heads[0].lineage)) == ref else {}
        head = heads[0].model_copy(update=update)
        publish(self.store, self.model.signer(), Namespace.SEGMENT, self.model.copy.heads[0], head)

    def fresh_file(self, data: bytes) -> Path:
        """A new file of the bench's own."""
        path = self._fresh("file")
        path.write_bytes(data)
        return path

    def _seal(self, key: str, content: Path, recipients: Sequence[str]) -> Sealed:
        self.remove(key)
        with content.open("rb", buffering=0) as stream, self.store.create(key) as upload:
            sealed, _ = seal(
                [Source(stream)],
                upload,
                recipients=recipients,
                level=1,
                threads=1,
                timeout_s=_SEAL_TIMEOUT_S,
                stall_s=_STALL_S,
            )
            upload.commit()
        return sealed

    def _fresh(self, what: str) -> Path:
        return self.directory / f"{what}-{secrets.token_hex(4)}"


def manifest_key(manifest: Manifest) -> str:
    """The key of a backup's manifest."""
    return layout.manifest(manifest.stack, manifest.id)


def _record_key(segment: Segment) -> str:
    return segment.key.removesuffix(".zst.age") + ".json"


def _rewrite_list(source: Path, target: Path, files: FileSet, edits: archives.Edits) -> dict[str, object]:
    """Write the list with its edits; return what of the set changes with it."""
    count, size, uploads = 0, 0, 0
    below = None if files.uploads is None else files.uploads.lstrip("/") + "/"
    digest = hashlib.sha256()
    with source.open("rb") as lines, target.open("wb") as out:
        for entry in parse_list(lines, files.name):
            data = edits.get(entry.path, b"")
            if data is None:
                uploads -= below is not None and entry.path.startswith(below)
                continue
            if entry.path in edits:
                entry = replace(entry, size=len(data), sha256=hashlib.sha256(data).hexdigest())  # noqa: PLW2901
            count += entry.type in ("file", "hardlink")
            size += entry.size if entry.type == "file" else 0
            digest.update(entry.line())
            out.write(entry.line())
    return {
        "digest": digest.hexdigest(),
        "files": count,
        "size": size,
        "upload_count": files.upload_count + uploads,
    }
