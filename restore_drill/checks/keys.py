"""Check 4, encryption-key readability: with the restored keys, and no others, all that is encrypted can be read."""

from opsctl.core.errors import OpsError
from opsctl.core.result import Result
from restore_drill.checks.app_keys import judge_app_keys
from restore_drill.checks.encrypted import try_keys, wrong_keys
from restore_drill.checks.needs import missing_secrets, need_server
from restore_drill.checks.tally import Tally, sentence
from restore_drill.restored import CouldNotRunError, Restored
from restore_drill.scratch import KEYS

_HINT = "compare the key files in the keys archive with the server's; without the right ones its backups are lost"


class Keys:
    """A stack that encrypts nothing passes once its keys archive holds what the manifest names."""

    id = "keys"
    title = "encryption-key readability"

    def run(self, restored: Restored) -> Result:
        """Judge the keys archive. Raises CouldNotRunError when it could not be opened: that is check 1's to report."""
        tally = Tally(
            "the keys archive holds every key, the restored server runs on its files and reads a table of each key, "
            "and the keys of applications open what they encrypted",
            figures={"files": len(restored.manifest.keys)},
        )
        for artefact in restored.manifest.artefacts:
            if artefact.kind == "keys" and restored.opened[artefact.name].value is None:
                raise CouldNotRunError(f"the keys archive could not be opened: {restored.opened[artefact.name].error}")
        missing = missing_secrets(restored)
        if missing:
            tally.problem(f"the keys archive lacks {len(missing)} files: {sentence(missing)}", hint=_HINT)
        if restored.manifest.database.encrypted:
            self._tables(restored, tally)
        tally.figures["known_values"] = judge_app_keys(restored, tally)
        return tally.result(self, _good(restored, tally))

    def _tables(self, restored: Restored, tally: Tally) -> None:
        try:
            why = wrong_keys(restored) if restored.server is None or restored.server.value is None else None
            if why is not None:
                tally.problem(f"the restored keys do not open the database: {why}", hint=_HINT)
                return
            server = need_server(restored)
            _require_own_files(server.query("SELECT @@file_key_management_filename AS file")[0]["file"], tally)
            keys = try_keys(restored, server)
        except OpsError as error:
            tally.unjudged.append(f"no encrypted table could be tried: {error.message.splitlines()[0]}")
            return
        tally.figures |= {"encrypted_tables": len(keys.tables), "key_ids_read": list(keys.read)}
        for key_id in keys.wrong:
            count = sum(1 for used in keys.tables.values() if used == key_id)
            tally.problem(
                f"the restored key {key_id} is missing or wrong: none of its {count} tables opens", hint=_HINT
            )
        for key_id in keys.untried:
            tally.unjudged.append(f"no table is whole on which key {key_id} could be tried")


def _require_own_files(file: object, tally: Tally) -> None:
    """The drill is worth nothing if the server reads keys from elsewhere than the opened archive."""
    if not str(file).startswith(f"{KEYS}/"):
        tally.unjudged.append(f"the scratch server does not run on the restored key file but on {file}")


def _good(restored: Restored, tally: Tally) -> str:
    parts = [tally.counted("files", "secret file")]
    if restored.manifest.database.encrypted:
        tables, keys = tally.counted("encrypted_tables", "encrypted table"), tally.counted("key_ids_read", "key")
        parts.append(f"{tables} readable, under {keys}")
    parts.append(f"{tally.counted('known_values', 'known value')} decrypted")
    return "; ".join(parts)
