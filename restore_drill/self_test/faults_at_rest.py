"""Faults at rest: published bytes are altered, taken away, put back or added, as thieves and failing disks do."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from backup import layout
from backup.codec import decrypt_command, encrypt_command
from backup.layout import SIGNATURE
from backup.manifest import Artefact
from backup.segment import Segment
from opsctl.core.pipeline import Sink, Source, run_pipeline
from opsctl.core.signing import Namespace
from opsctl.core.store import get
from restore_drill.fetch import identities
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError

_TIMEOUT_S = 6 * 3600.0
_NO_PARENT = "20000101T000000Z-full-00000000"
_KINDS = {
    "database": "the database's archive",
    "files": "an archive of files",
    "list": "a list of files",
    "keys": "the keys archive",
    "state": "the archive of ledger and settings",
}


def artefact(bench: Bench, kind: str) -> Artefact:
    """The first artefact of a kind."""
    for found in bench.manifest.artefacts:
        if found.kind == kind:
            return found
    raise InapplicableError(f"the backup has no archive of the kind '{kind}'")


def flip_bit(file: Path) -> None:
    """Turn one bit in the middle of a file the other way round."""
    with file.open("r+b") as stream:
        stream.seek(file.stat().st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))


def _flip(kind: str, bench: Bench) -> None:
    flip_bit(bench.own(artefact(bench, kind).key))


def _flip_segment(bench: Bench) -> None:
    flip_bit(bench.own(_shipped(bench)[-1][1].key))


def _truncate(bench: Bench) -> None:
    file = bench.own(artefact(bench, "database").key)
    os.truncate(file, file.stat().st_size // 2)


def _older(bench: Bench) -> None:
    """The real one of the backup before; without one, what an earlier backup without this one's ledger would be."""
    older = bench.model.copy.older
    if older is not None:
        name, key = older
        bench.replace(bench.manifest.artefact(name).key, bench.store.directory / key)
        return
    state = artefact(bench, "state")
    bench.reseal(state.name, bench.fresh_file(bytes(10240)))
    bench.manifest = bench.model.copy.manifest


def _for_another_key(bench: Bench) -> None:
    database = artefact(bench, "database")
    place = bench.fresh_file(b"")
    recipients = [bench.model.stranger] * len(database.recipients)
    with bench.store.open(database.key) as stream, place.open("wb") as file:
        host = bench.model.host
        commands = (decrypt_command(identities(host, "database")), encrypt_command(recipients))
        run_pipeline([Source(stream), *commands, Sink(file.write)], timeout_s=_TIMEOUT_S)
    bench.replace(database.key, place)


def _missing(bench: Bench) -> None:
    bench.remove(artefact(bench, "keys").key)


def _extra(bench: Bench) -> None:
    key = layout.backup(bench.manifest.stack, bench.manifest.id) + "files-extra.tar.zst.age"
    bench.replace(key, bench.fresh_file(b"extra"))


def _edited(bench: Bench) -> None:
    bench.alter(bench.manifest_key, lambda data: data.replace(b'"opsctl_version":"', b'"opsctl_version":"9', 1))


def _unsigned(bench: Bench) -> None:
    bench.remove(bench.manifest_key + SIGNATURE)


def _signed_for_another_purpose(bench: Bench) -> None:
    data = get(bench.store, bench.manifest_key)
    signature = bench.model.signer().sign(data, Namespace.DRILL)
    bench.replace(bench.manifest_key + SIGNATURE, bench.fresh_file(signature))


def _signed_by(signer: str, bench: Bench) -> None:
    bench.publish(signer=signer)


def _unknown_version(bench: Bench) -> None:
    bench.publish(version=2)


def _no_parent(bench: Bench) -> None:
    bench.publish(parent=_NO_PARENT)


def _rolled_back(bench: Bench) -> None:
    """Everything as it was when the head before the newest was the newest."""
    if len(bench.model.heads) < 2:
        raise InapplicableError("the repository has no older head, so there is nothing to roll it back to")
    older = bench.model.heads[1]
    head = bench.model.copy.heads[0]
    bench.remove(head, head + SIGNATURE)
    for key, segment in reversed(bench.records()):
        if segment.sealed_at > older.at:
            bench.remove(key, key + SIGNATURE, segment.key)


def _end_removed(bench: Bench) -> None:
    """The last segment and every head: nothing left says that there was more."""
    for key in bench.model.copy.heads:
        bench.remove(key, key + SIGNATURE)
    key, segment = _shipped(bench)[-1]
    bench.remove(key, key + SIGNATURE, segment.key)


def _middle_removed(bench: Bench) -> None:
    key, segment = _in_the_middle(bench)
    bench.remove(key, key + SIGNATURE, segment.key)


def _segment_missing(bench: Bench) -> None:
    bench.remove(_shipped(bench)[-1][1].key)


def _record_edited(bench: Bench) -> None:
    bench.alter(_in_the_middle(bench)[0], _more_transactions)


def _last_record_edited(bench: Bench) -> None:
    bench.alter(_shipped(bench)[-1][0], _more_transactions)


def _more_transactions(record: bytes) -> bytes:
    return record.replace(b'"transactions":', b'"transactions":1', 1)


def _shipped(bench: Bench) -> list[tuple[str, Segment]]:
    found = bench.replayed()
    if not found:
        raise InapplicableError("nothing was shipped since the backup")
    return found


def _in_the_middle(bench: Bench) -> tuple[str, Segment]:
    found = _shipped(bench)
    if len(found) < 2:
        raise InapplicableError("only one binary log was shipped since the backup, so there is none in the middle")
    return found[-2]


def _fault(id_: str, title: str, expected: str, make: Callable[[Bench], None]) -> Fault:
    return Fault(id_, "at rest", title, expected, make)


FAULTS = (
    *(
        _fault(f"flip-{kind}", f"a bit flips in {what}", "decrypt", partial(_flip, kind))
        for kind, what in _KINDS.items()
    ),
    _fault("flip-segment", "a bit flips in the archive of a binary log", "replay", _flip_segment),
    _fault("truncated", "an archive is truncated", "manifest", _truncate),
    _fault("older", "an archive of an older backup lies in its place", "manifest", _older),
    _fault("other-recipient", "an archive is encrypted for another key", "decrypt", _for_another_key),
    _fault("missing", "an archive is missing", "manifest", _missing),
    _fault("extra", "there is an archive too many", "manifest", _extra),
    _fault("manifest-edited", "the manifest is edited", "manifest", _edited),
    _fault("unsigned", "the manifest's signature is missing", "manifest", _unsigned),
    _fault("wrong-purpose", "the signature was made for another purpose", "manifest", _signed_for_another_purpose),
    _fault("stranger", "the manifest is signed by somebody else", "manifest", partial(_signed_by, "stranger")),
    _fault("expired", "the manifest is signed by an expired key", "manifest", partial(_signed_by, "expired")),
    _fault("unknown-version", "the manifest has a version of the future", "manifest", _unknown_version),
    _fault("no-parent", "the manifest's parent is missing", "manifest", _no_parent),
    _fault("rolled-back", "the whole repository is rolled back", "manifest", _rolled_back),
    _fault("end-removed", "the last binary log and all heads are removed", "manifest", _end_removed),
    _fault("middle-removed", "a binary log in the middle is removed", "replay", _middle_removed),
    _fault("segment-missing", "a binary log's archive is missing", "replay", _segment_missing),
    _fault("record-edited", "a binary log's record is edited", "replay", _record_edited),
    _fault("last-record-edited", "the last binary log's record is edited", "replay", _last_record_edited),
)
