"""What the hosts of these tests are made of: Debian 12, its stack, and opsctl's dependencies, each a layer on the last;
and a bare Debian 12, as a provider hands it over.

The first time takes two minutes; then all is in the cache that tests/integration/install fills as well.
"""

import hashlib
from pathlib import Path

from opsctl.deploy.desired import certificates, clock, ground, logs, program
from tests.support.debian import Base, Recipe, base
from tests.support.packaging import documented_packages, download_dependencies, locked_dependencies

RELEASE = "bookworm"
PYTHON = "3.11"
MACHINE_PACKAGES = (
    "ca-certificates", "cron", "curl", "dbus", "iproute2", "libpam-systemd", "nftables", "openssh-server", "procps",
    "rsync", "logrotate", "openssl", "sudo", "systemd", "systemd-container", "systemd-sysv",
)  # fmt: skip
STACK_PACKAGES = ("nginx", "php-fpm", "unattended-upgrades")
# What deployments bring besides; pebble is the certificate authority of the tests.
DEPLOYED_PACKAGES = ("certbot", "pebble", "systemd-timesyncd")
# What copies must not share, and what would stir while a test looks. MariaDB's socket unit, which nobody wants, listens
# everywhere and was enabled because no systemd was there yet when it was installed.
_MAKE_BOOTABLE = """
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/dbus/machine-id
: >/etc/machine-id
cd /etc/systemd/system
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \\
    phpsessionclean.timer e2scrub_reap.service console-getty.service
do ln -sf /dev/null $unit; done
rm sockets.target.wants/mariadb.socket
"""
# systemd-container holds what boots the host (supervisor.sh); the rest is what every provider's image has.
BARE_PACKAGES = (
    "ca-certificates", "dbus", "iproute2", "libpam-systemd", "openssh-server", "procps", "python3", "systemd",
    "systemd-container", "systemd-sysv",
)  # fmt: skip
LOG_PACKAGES = ("rsyslog", "rsyslog-relp")
POOL = "/opt/pool"
# Exactly the packages that a deployment installs and what they need, with an index such as dpkg-scanpackages writes:
# the only source that apt has then, so that packages are really installed without a network.
_MAKE_POOL = f"""
apt-get -qq update
install -d -o _apt {POOL} {POOL}/partial
apt-get -qq --yes -o Dir::Cache::archives={POOL} --download-only install {{packages}} </dev/null
cd {POOL}
for package in *.deb; do
    dpkg-deb --field "$package"
    echo "Filename: ./$package"
    echo "Size: $(stat --format %s "$package")"
    echo "SHA256: $(sha256sum "$package" | cut --delimiter ' ' --fields 1)"
    echo
done >Packages
gzip Packages
rm -r lock partial /etc/apt/apt.conf.d/00machine /var/cache/apt/*.bin
echo 'deb [trusted=yes] file:{POOL} ./' >/etc/apt/sources.list
"""
_MAKE_BARE_BOOTABLE = """
rm -f /etc/ssh/ssh_host_* /var/lib/systemd/random-seed /var/lib/dbus/machine-id
: >/etc/machine-id
cd /etc/systemd/system
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \\
    e2scrub_reap.service console-getty.service
do ln -sf /dev/null $unit; done
"""
_INSTALL_DEPENDENCIES = """
python3 -m venv /opt/opsctl
/opt/opsctl/bin/pip --quiet --disable-pip-version-check install --no-index --find-links /opsctl-wheels --no-deps \\
    --require-hashes --requirement /opsctl-wheels/needed.lock
rm -r /opsctl-wheels
"""


def stack_base() -> Base:
    """A host with everything but opsctl."""
    ground = base(Recipe(RELEASE, documented_packages()))
    packages = (*MACHINE_PACKAGES, "python3-venv", *STACK_PACKAGES)
    return base(Recipe(RELEASE, packages, on=ground, script=_MAKE_BOOTABLE))


def deployed_base() -> Base:
    """A host with everything that a deployment would install."""
    return base(Recipe(RELEASE, DEPLOYED_PACKAGES, on=stack_base()))


def services_base() -> Base:
    """A host that has servers for Python services, which take the socket they listen on from systemd."""
    return base(Recipe(RELEASE, ("gunicorn", "uvicorn"), on=deployed_base()))


def logging_base() -> Base:
    """A host with everything that a deployment would install to send its logs elsewhere, or to keep those of others."""
    return base(Recipe(RELEASE, LOG_PACKAGES, on=deployed_base()))


def bare_base() -> Base:
    """A host as a provider hands it over, with apt's packages on its own disk."""
    bare = base(Recipe(RELEASE, BARE_PACKAGES, script=_MAKE_BARE_BOOTABLE))
    subjects = (certificates.PACKAGES, clock.PACKAGES, ground.PACKAGES, ground.PHP_PACKAGES, logs.PACKAGES)
    wanted = sorted(set().union(*subjects, program.PACKAGES, documented_packages()))
    return base(Recipe(RELEASE, on=bare, script=_MAKE_POOL.format(packages=" ".join(wanted))))


def opsctl_base() -> Base:
    """A host with everything that opsctl's wheel needs."""
    version = hashlib.sha256(locked_dependencies(PYTHON).encode()).hexdigest()
    return base(
        Recipe(RELEASE, on=deployed_base(), script=_INSTALL_DEPENDENCIES, fill=_fetch_dependencies, version=version)
    )


def _fetch_dependencies(extra: Path) -> None:
    wheels = extra / "opsctl-wheels"
    wheels.mkdir()
    download_dependencies(wheels, [PYTHON])
