"""Forgets what was secret in bundles, once it is in place or was taken back. Until then only root can read it."""

import json
import shutil
import time
from pathlib import Path

from . import host
from .journal import Journal

BUNDLE = "bundle.json"
STAGE = "stage"
ABANDONED_S = 24 * 3600


def forget(directory: Path, *, ended: bool) -> None:
    """Remove secrets from a bundle and what was staged of it; once it has `ended`, also what was there before."""
    shutil.rmtree(directory / STAGE, ignore_errors=True)
    path = directory / BUNDLE
    bundle = json.loads(path.read_text())
    secret = [each for each in bundle["resources"] if each.get("secret")]
    if any(each["content"] is not None for each in secret):
        for each in secret:
            each["content"] = None
        host.write(path, json.dumps(bundle).encode(), mode=0o600, owner="root", group="root")
    if ended:
        paths = {each["path"] for each in secret}
        for undo in Journal(directory).undos:
            if undo.get("old") and (undo["path"] in paths or not int(undo["state"]["mode"], 8) & 0o007):
                (directory / undo["old"]).unlink(missing_ok=True)


def forget_all(home: Path) -> None:
    """The same for bundles that have ended, and for those that were carried here and never begun."""
    for directory in home.glob("*/"):
        journal = Journal(directory)
        abandoned = not journal.entries() and time.time() - directory.stat().st_mtime > ABANDONED_S
        if abandoned:
            shutil.rmtree(directory)
        elif journal.outcome is not None:
            forget(directory, ended=True)
