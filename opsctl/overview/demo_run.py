"""`opsctl demo`: the main job end to end on a throwaway customer, every step of it real."""

import contextlib
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from backup.binlog.ship import Shipment, ship
from backup.manifest import Manifest
from backup.run import run_backup
from opsctl.core.errors import SettingsError
from opsctl.core.progress import Progress
from opsctl.overview import wire
from opsctl.overview.demo.settings import STACK_NAME
from opsctl.overview.demo.size import DEMO, DemoSize
from opsctl.overview.demo.stack import DemoFacts, DemoStack
from opsctl.overview.new_files import NewFiles
from opsctl.overview.new_keys import make_identity, make_signing
from opsctl.settings import load_settings
from restore_drill.drill import run_drill
from restore_drill.report import DrillReport

CUSTOMER = "customer"
SIGNER = f"host@{STACK_NAME}"


@dataclass(frozen=True)
class Demo:
    """Everything the demo did, and where it lies. `total_s` is the whole in seconds, `set_up_s` its first part."""

    directory: Path
    config: Path
    kept: bool
    facts: DemoFacts
    manifest: Manifest
    shipment: Shipment
    drill: DrillReport
    set_up_s: float
    total_s: float


def run_demo(*, directory: Path | None, keep: bool, progress: Progress, size: DemoSize = DEMO) -> Demo:
    """Make a customer in `directory` (a new one for temporary files if None), back it up, ship, drill.

    Everything is removed at the end, unless it ended well and `keep` was asked for. Raises SettingsError when the
    directory is not empty.
    """
    place = Path(tempfile.gettempdir()) / f"opsctl-demo-{secrets.token_hex(3)}" if directory is None else directory
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise SettingsError("the directory for the demo is not empty", where=str(place), hint="name a new one")
    began = time.monotonic()
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, place)
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        place.chmod(0o711)
        stack = DemoStack.create(place / CUSTOMER, size=size, progress=progress.step)
        undo.callback(stack.remove)
        demo = _work(place, stack, keep, progress, began)
        if keep:
            undo.pop_all()
    return demo


def remove_demo(directory: Path) -> None:
    """End and remove a demo that was kept. Raises OpsError when there is none."""
    DemoStack.open(directory / CUSTOMER).remove()
    shutil.rmtree(directory)


def _work(place: Path, stack: DemoStack, keep: bool, progress: Progress, began: float) -> Demo:
    config = _set_up(place, stack, progress)
    loaded = load_settings(config)
    host = wire.host(loaded, progress)
    set_up_s = time.monotonic() - began
    manifest = run_backup(host)
    progress.step("Customers work on: posts, leads, calls, invoices, an ALTER TABLE")
    stack.write_more()
    progress.step("Shipping binary logs")
    shipment = ship(host)
    drill = run_drill(wire.drill_host(loaded.settings, progress))
    wire.pin(loaded.settings)
    return Demo(
        directory=place,
        config=config,
        kept=keep,
        facts=stack.facts(),
        manifest=manifest,
        shipment=shipment,
        drill=drill,
        set_up_s=set_up_s,
        total_s=time.monotonic() - began,
    )


def _set_up(place: Path, stack: DemoStack, progress: Progress) -> Path:
    """Keys, identities and settings, as `opsctl init` makes them, host and drill host in one."""
    progress.step("Making keys and settings")
    directory = place / "opsctl"
    files = NewFiles()
    signing = make_signing(files, directory, SIGNER)
    data, keys = directory / "identity.txt", directory / "keys-identity.txt"
    values = {
        "machine": {"place": "all", "state_dir": directory / "state", "lock_dir": directory / "locks"},
        "trust": {"signer": SIGNER, "signing_key": signing.key, "allowed_signers": signing.allowed_signers},
        "repositories": [{"name": "local", "path": place / "repository"}],
        "backup": {
            "recipients": [make_identity(files, data, "the identity of data archives")],
            "keys_recipients": [make_identity(files, keys, "the identity of keys archives")],
        },
        "drill": {"identity_files": [data], "keys_identity_files": [keys], "scratch_dir": place},
    }
    config = directory / "opsctl.toml"
    files.write(config, "the settings", lambda: stack.settings_toml(values))
    return config
