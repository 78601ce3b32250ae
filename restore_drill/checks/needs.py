"""What checks need of the restore; each raises CouldNotRunError when an earlier step left it undone."""

from backup.increments import misjoined
from opsctl.core.errors import OpsError
from restore_drill.checks.tally import SEE_OTHERS, one_line
from restore_drill.restored import CouldNotRunError, Restored
from restore_drill.scratch import ScratchServer


def need_server(restored: Restored) -> ScratchServer:
    """The scratch server, and it answers."""
    if restored.server is None or restored.server.value is None:
        raise CouldNotRunError("the scratch server does not run", hint=SEE_OTHERS)
    server = restored.server.value
    try:
        server.query("SELECT 1")
    except OpsError as error:
        raise CouldNotRunError(f"the scratch server does not answer any more: {one_line(error)}") from error
    return server


def need_files(restored: Restored) -> None:
    """All site files and secrets, extracted, each increment onto what it was made on."""
    if problem := next(misjoined(restored.manifest), None):
        raise CouldNotRunError(f"not all files are there: {problem}", hint=SEE_OTHERS)
    kinds = {artefact.name: artefact.kind for artefact in restored.manifest.artefacts}
    failed = [
        name
        for name, attempt in restored.opened.items()
        if kinds.get(name) in ("files", "deleted", "keys", "list") and attempt.value is None
    ]
    if failed or not restored.opened:
        raise CouldNotRunError(f"not all files are there: {', '.join(failed) or 'nothing'} could not be opened")


def missing_secrets(restored: Restored) -> list[str]:
    """Paths that the manifest says the keys archive holds, and that are not there."""
    return [path for path in restored.manifest.keys if not (restored.paths.keys / path.lstrip("/")).is_file()]


def restored_secret(restored: Restored, path: str | None) -> None:
    """A file that is in the keys archive, if the manifest says so; its absence is for check 4 to report."""
    if path in missing_secrets(restored):
        raise CouldNotRunError(f"{path} is not in the keys archive")
