"""Runs the demo's PHP programs on the customer's host, with php-cli."""

import base64
import json
from collections.abc import Mapping

from opsctl.core.process import command, run
from opsctl.overview.demo.layout import DATA, Layout, on_host

PHP_TIMEOUT_S = 600

# The programs come in on standard input, with what they are to do: nothing of it shows in a list of processes.
_PHP = command("php", "-d", "display_errors=stderr", "-d", "error_reporting=E_ALL", "-d", "memory_limit=512M")


def run_php(layout: Layout, name: str, wanted: Mapping[str, object]) -> bytes:
    """Run a file of data/php with `wanted` as its $in; return what it says, as JSON.

    Raises CommandFailedError with PHP's own words.
    """
    encoded = base64.b64encode(json.dumps(wanted).encode()).decode()
    program = f"<?php $in = json_decode(base64_decode('{encoded}'), true); ?>" + (DATA / "php" / name).read_text()
    return run(on_host(layout, _PHP), timeout_s=PHP_TIMEOUT_S, stdin=program.encode()).stdout
