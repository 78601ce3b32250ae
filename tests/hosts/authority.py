"""A certificate authority on a host of these tests: Pebble, which validates names as Let's Encrypt does."""

import json

from tests.hosts.host import Host

PORT, MANAGEMENT_PORT = 14000, 15000
DIRECTORY = f"https://localhost:{PORT}/dir"
_HOME = "/srv/authority"
_CONFIG = {
    "pebble": {
        "listenAddress": f"127.0.0.1:{PORT}",
        "managementListenAddress": f"127.0.0.1:{MANAGEMENT_PORT}",
        "certificate": f"{_HOME}/own.pem",
        "privateKey": f"{_HOME}/own.key",
        "httpPort": 80,
        "tlsPort": 443,
    }
}
_OWN = (
    f"mkdir -p {_HOME}; cd {_HOME}; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
    "-addext subjectAltName=DNS:localhost -keyout own.key -out own.pem 2>/dev/null"
)


class Authority:
    """Pebble on a host, which finds the host's own names there: those of `/etc/hosts`. It refuses no good request."""

    def __init__(self, host: Host) -> None:
        self._host = host
        host.shell(_OWN)
        host.write(f"{_HOME}/config.json", json.dumps(_CONFIG))
        host.run(
            *("systemd-run", "--quiet", "--unit=authority", "--setenv=PEBBLE_VA_NOSLEEP=1"),
            *(
                "--setenv=PEBBLE_AUTHZREUSE=0",
                "--setenv=PEBBLE_WFE_NONCEREJECT=0",
                "pebble",
                "-config",
                f"{_HOME}/config.json",
            ),
        )
        self.trust = host.read(f"{_HOME}/own.pem")
        ask = f"curl --silent --fail --cacert {_HOME}/own.pem https://localhost:{MANAGEMENT_PORT}/roots/0"
        host.shell(f"until {ask} >{_HOME}/root.pem; do sleep 0.1; done")

    @property
    def root(self) -> str:
        """The host's path of the certificate that what is issued chains to."""
        return f"{_HOME}/root.pem"

    def names(self, *names: str) -> None:
        """From now on, these names lead to the host."""
        self._host.shell(f"echo 127.0.0.1 {' '.join(names)} >>/etc/hosts")
