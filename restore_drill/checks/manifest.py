"""Check 2, manifest: signed by an allowed signer, and the repository holds just what it names, no less than before."""

from backup import layout
from backup.increments import misjoined
from backup.layout import SIGNATURE
from opsctl.core.errors import OpsError
from opsctl.core.result import Result
from opsctl.core.signing import SignatureError
from restore_drill.checks.tally import Tally, one_line, sentence
from restore_drill.restored import Restored
from restore_drill.trust import RolledBackError

EXPECTED = (
    "the manifest is signed by an allowed signer, every archive is there with its size, nothing else is, every parent "
    "is there, and the repository reaches as far as this machine has seen"
)
_HINT = "use another copy of the repository, and find out who changed this one"


class ManifestCheck:
    """A chain of segments that is broken is check 8's to report: here its reach could not be judged.

    The signature and the form were verified when the manifest was read: without them there is no restore to judge, and
    the drill reports this check as failed by itself.
    """

    id = "manifest"
    title = "manifest"

    def run(self, restored: Restored) -> Result:
        """Judge manifest and repository."""
        tally = Tally(EXPECTED)
        self._artefacts(restored, tally)
        self._parents(restored, tally)
        for problem in misjoined(restored.manifest):
            tally.problem(problem, hint=_HINT)
        self._head(restored.head_error, tally)
        tally.figures |= {"archives": len(restored.archives)}
        return tally.result(self, f"signed; {tally.counted('archives', 'archive')} with their sizes; nothing extra")

    def _artefacts(self, restored: Restored, tally: Tally) -> None:
        store, manifest = restored.catalog.store, restored.manifest
        for artefact in restored.archives.values():
            stored = store.stat(artefact.key)
            if stored is None:
                tally.problem(f"{artefact.key} is missing", hint=_HINT)
            elif stored.size != artefact.sealed.cipher_size:
                tally.problem(
                    f"{artefact.key} has {stored.size} bytes, the manifest says {artefact.sealed.cipher_size}",
                    hint=_HINT,
                )
        key = layout.manifest(manifest.stack, manifest.id)
        known = {key, key + SIGNATURE, *(artefact.key for artefact in manifest.artefacts)}
        there = [item.key for item in store.list(layout.backup(manifest.stack, manifest.id))]
        extra = [found for found in there if found not in known]
        if extra:
            tally.problem(f"{len(extra)} objects are no part of the backup: {sentence(extra)}", hint=_HINT)

    def _parents(self, restored: Restored, tally: Tally) -> None:
        """Each parent, down to the full backup, was verified when they were sought."""
        if restored.chain_error is not None:
            tally.problem(one_line(restored.chain_error), hint=_HINT)
        tally.figures["parents"] = len(restored.parents)

    def _head(self, error: OpsError | None, tally: Tally) -> None:
        if isinstance(error, RolledBackError | SignatureError):
            tally.problem(one_line(error), hint=error.hint)
        elif error is not None:
            tally.unjudged.append(f"how far the repository reaches cannot be told: {one_line(error)}")
