"""Faults in chains: a parent is missing, damaged, or another one; LSNs join in all of them."""

from collections.abc import Callable
from functools import partial

from backup.layout import SIGNATURE
from backup.manifest import Artefact, Manifest
from restore_drill.self_test.bench import Bench, manifest_key
from restore_drill.self_test.fault import Fault, InapplicableError
from restore_drill.self_test.faults_at_rest import flip_bit

_ANOTHER = "20000101T000000Z-full-00000000"


def _parent(bench: Bench) -> Manifest:
    if len(bench.chain) < 2:
        raise InapplicableError("the newest backup is a full one, and stands on no other")
    return bench.chain[-2]


def _database(manifest: Manifest) -> Artefact:
    return next(artefact for artefact in manifest.artefacts if artefact.kind == "database")


def _parent_missing(bench: Bench) -> None:
    key = manifest_key(_parent(bench))
    bench.remove(key, key + SIGNATURE)


def _parent_lost_database(bench: Bench) -> None:
    bench.remove(_database(_parent(bench)).key)


def _parent_flipped(bench: Bench) -> None:
    flip_bit(bench.own(_database(_parent(bench)).key))


def _parent_made_anew(bench: Bench) -> None:
    """Under its own id and name, saying something else."""
    parent = _parent(bench)
    key = manifest_key(parent)
    bench.remove(key, key + SIGNATURE)
    bench.publish_another(parent.model_copy(update={"host": f"not {parent.host}"}))


def _wrong_parent(bench: Bench) -> None:
    """Another backup, with the parent's very data, whose LSNs join."""
    bench.publish_another(_parent(bench).model_copy(update={"id": _ANOTHER}))
    bench.publish(parent=_ANOTHER)


def _foreign_parent(bench: Bench) -> None:
    """One of another server, named rightly by its hash."""
    parent = _parent(bench)
    database = parent.database.model_copy(update={"server_id": parent.database.server_id + 1})
    sha256 = bench.publish_another(parent.model_copy(update={"id": _ANOTHER, "database": database}))
    bench.publish(parent=_ANOTHER, parent_sha256=sha256)


def _skipped(bench: Bench) -> None:
    """As on an idle database an incremental one that is left out: hashes, signatures and LSNs all hold."""
    sha256 = bench.publish_another(_parent(bench).model_copy(update={"id": _ANOTHER}))
    bench.publish(parent=_ANOTHER, parent_sha256=sha256)


def _fault(id_: str, title: str, expected: str, make: Callable[[Bench], None]) -> Fault:
    return Fault(id_, "at rest", title, expected, make)


_content = partial(Fault, family="content")

FAULTS = (
    _fault("parent-missing", "the parent of an incremental backup is missing", "manifest", _parent_missing),
    _fault("parent-lost", "the parent's database is missing", "manifest", _parent_lost_database),
    _fault("parent-flipped", "a bit flips in the parent's database", "decrypt", _parent_flipped),
    _fault("parent-anew", "the parent was made anew under its id", "manifest", _parent_made_anew),
    _content(
        id="wrong-parent", title="another parent is named, whose LSNs join", expected="manifest", make=_wrong_parent
    ),
    _content(id="foreign-parent", title="the parent is another server's", expected="manifest", make=_foreign_parent),
    _content(id="skipped", title="on an idle database a backup is skipped", expected="coherence", make=_skipped),
)
