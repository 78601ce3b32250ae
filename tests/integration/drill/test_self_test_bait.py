"""What hostile faults try would succeed outside of the sandbox, so that its failure inside proves something."""

import base64
import json
import socket as sockets
import subprocess
from pathlib import Path

from restore_drill.checks.php import PROGRAMS
from restore_drill.self_test.hostile import BAIT
from tests.support.mariadb import running_server


def test_the_bait_is_loaded_by_a_server_that_is_told_to() -> None:
    options = (f"--plugin-load-add={BAIT}", "--server-audit-logging=ON")
    with running_server(options) as server:
        plugins = server.sql("SELECT PLUGIN_NAME FROM information_schema.PLUGINS WHERE PLUGIN_LIBRARY IS NOT NULL")
        assert ("SERVER_AUDIT",) in plugins


def test_the_hostile_code_reads_and_calls_where_nothing_stops_it(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with sockets.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        targets = base64.b64encode(json.dumps({"files": [str(secret)], "addresses": [address]}).encode()).decode()
        hostile = (PROGRAMS / "self_test_hostile.php").read_text().replace("@@TARGETS@@", targets)
        answer = (PROGRAMS / "self_test_attempts.php").read_text().removeprefix("<?php")
        (tmp_path / "config.php").write_text(hostile + answer)
        done = subprocess.run(["php", "-f", tmp_path / "config.php"], stdout=subprocess.PIPE, check=True, text=True)
        listener.accept()[0].close()
    attempts = json.loads(base64.b64decode(done.stdout.strip().removeprefix("opsctl-attempts:")))
    assert attempts == {str(secret): None, address: None}
