"""The program that `s3server` starts: OpenStack Swift with its S3 API, all four of its servers in one process.

Arguments: an empty directory; the users, as JSON; where it listens. Once it serves, it prints the port of the proxy on
a line; it ends with its input.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402 - eventlet has to come first
from swift.common.http_protocol import SwiftHttpProtocol  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.utils import set_swift_dir  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

STORAGE = ("account", "container", "object")

STORAGE_CONF = """
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""

PROXY_CONF = """
[DEFAULT]
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats bulk s3api tempauth slo versioned_writes proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
s3_acl = false
max_bucket_listing = 5
[filter:tempauth]
use = egg:swift#tempauth
{users}
[filter:slo]
use = egg:swift#slo
[filter:versioned_writes]
use = egg:swift#versioned_writes
"""


def main(directory: Path, users: dict[str, str], address: str) -> None:
    """Write the configuration, start the servers, say the port, and wait for the end of the input."""
    warnings.simplefilter("ignore")
    (directory / "devices" / "d1").mkdir(parents=True)
    (directory / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = test\n")
    set_swift_dir(str(directory))
    for name in STORAGE:
        _serve(name, directory, STORAGE_CONF.format(name=name, directory=directory), "127.0.0.1")
    lines = "\n".join(f"{name} = {rights}" for name, rights in users.items())
    port = _serve("proxy", directory, PROXY_CONF.format(directory=directory, users=lines), address)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    eventlet.tpool.execute(sys.stdin.read)


def _serve(name: str, directory: Path, conf: str, address: str) -> int:
    socket = eventlet.listen((address, 0))
    port = int(socket.getsockname()[1])
    if name in STORAGE:
        _ring(name, directory, port)
    (directory / f"{name}.conf").write_text(conf)
    app: Any = loadapp(str(directory / f"{name}.conf"), global_conf={"log_name": name})
    # As swift.common.wsgi.run_server does it: AWS' clients want the case of `ETag` kept.
    eventlet.spawn(
        wsgi.server, socket, app, None, protocol=SwiftHttpProtocol, capitalize_response_headers=False, log_output=False
    )
    return port


def _ring(name: str, directory: Path, port: int) -> None:
    builder = RingBuilder(part_power=0, replicas=1, min_part_hours=0)
    builder.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": port, "device": "d1", "weight": 1})
    builder.rebalance()
    builder.get_ring().save(str(directory / f"{name}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3])
