"""The eight checks of a drill, in their order. Seven judge the backup, the eighth what was replayed on it."""

from restore_drill.checks.coherence import Coherence
from restore_drill.checks.decrypt import Decrypt
from restore_drill.checks.keys import Keys
from restore_drill.checks.manifest import ManifestCheck
from restore_drill.checks.replay import ReplayConfirmation
from restore_drill.checks.uploads import Uploads
from restore_drill.checks.vhosts import Vhosts
from restore_drill.checks.wp_config import WpConfig
from restore_drill.restored import Check

BEFORE_REPLAY: tuple[Check, ...] = (
    Decrypt(),
    ManifestCheck(),
    Coherence(),
    Keys(),
    WpConfig(),
    Uploads(),
    Vhosts(),
)
AFTER_REPLAY: Check = ReplayConfirmation()
CHECKS: tuple[Check, ...] = (*BEFORE_REPLAY, AFTER_REPLAY)
