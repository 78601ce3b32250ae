"""Check 1, decrypt: every archive opens with the given identities, and its bytes are those that were sealed."""

from backup.manifest import Artefact
from opsctl.core.errors import AuthError, IntegrityError, OpsError
from opsctl.core.process import CommandFailedError
from opsctl.core.result import Result
from restore_drill.checks.tally import Tally, lacked_means, one_line
from restore_drill.restored import Restored


class Decrypt:
    """An archive that is missing, or has another size, is check 2's to report: here it could not be judged."""

    id = "decrypt"
    title = "decrypt"

    def run(self, restored: Restored) -> Result:
        """Judge how the archives opened."""
        artefacts = restored.archives
        tally = Tally(f"all {len(artefacts)} archives open with the given identities and have the manifest's hashes")
        opened = [artefact for name, artefact in artefacts.items() if restored.opened[name].value is not None]
        for name, artefact in artefacts.items():
            error = restored.opened[name].error
            if error is not None:
                _note(restored, name, artefact, error, tally)
        tally.figures |= {
            "archives": len(artefacts),
            "opened": len(opened),
            "cipher_bytes": sum(artefact.sealed.cipher_size for artefact in opened),
            "plain_bytes": sum(artefact.sealed.plain_size for artefact in opened),
        }
        return tally.result(self, f"all {len(artefacts)} archives opened, both hashes of each as in the manifest")


def _note(restored: Restored, name: str, artefact: Artefact, error: OpsError, tally: Tally) -> None:
    stored = restored.catalog.store.stat(artefact.key)
    if stored is None or stored.size != artefact.sealed.cipher_size:
        tally.unjudged.append(f"{name} is not the file it should be: see check 2")
    elif isinstance(error, IntegrityError | AuthError | CommandFailedError) and not lacked_means(error):
        tally.problem(f"{name}: {one_line(error)}", hint=error.hint)
    else:
        tally.unjudged.append(f"{name}: {one_line(error)}")
        tally.hint = tally.hint or error.hint
