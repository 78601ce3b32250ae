"""What opsctl needs on a host to back it up: directories, keys that never leave it, accounts, timers.

Keys, passwords and the SQL of the accounts are made by `opsctl init` on the host, which keeps what is there.
"""

from collections.abc import Iterator

from opsctl.deploy.desired.settings import ACCOUNTS, ACCOUNTS_SQL, CONFIG, REPOSITORY, SECRETS, STATE, USER
from opsctl.deploy.desired.subject import Subject
from opsctl.deploy.resources import Directory, Resource, Script, file

_DIRECTORY = "/etc/opsctl"
_UNITS = "/etc/systemd/system"
_IN_PLACE = "Nothing has to change."


def ground(subject: Subject) -> Iterator[Resource]:
    """Directories: the settings' are root's, state and repository belong to whom jobs run as."""
    if subject.inventory.opsctl is not None:
        yield Directory(path=_DIRECTORY)
        yield Directory(path=STATE, owner=USER, group=USER, mode="0750")
        yield Directory(path=REPOSITORY, owner=USER, group=USER, mode="0700")


def keys(subject: Subject) -> Iterator[Resource]:
    """Keys and passwords. They stay when a deployment is taken back: what they have signed is not signed again."""
    if subject.inventory.opsctl is None:
        return
    files = [f"{_DIRECTORY}/signing_key", ACCOUNTS_SQL]
    files += [f"{SECRETS}/{role}.password" for role in ACCOUNTS]
    yield Script(
        name="opsctl keys",
        look=f"{' && '.join(f'test -s {file}' for file in files)} && echo there || :",
        wanted="there",
        do=f"umask 022; opsctl --config {CONFIG} --quiet init",
        undo="true",
        keep=True,
        shown="make the key that this host signs with, and passwords of opsctl's database accounts",
    )
    for each in subject.inventory.repositories:
        path = each.credentials
        if each.secret is not None:
            yield file(path, subject.secret(each.secret).encode(), mode="0600", secret=True)
            continue
        comment = f"{subject.host.name}.{subject.inventory.stack.name}"
        yield Script(
            name=f"repository key {path}",
            look=f"test -s {path} && echo there || :",
            wanted="there",
            do=f"ssh-keygen -q -t ed25519 -N '' -C {comment} -f {path}",
            undo="true",
            keep=True,
            shown=f"make the key {path}, which the repository's server has to let in",
        )


def accounts(subject: Subject) -> Iterator[Resource]:
    """opsctl's accounts, with the least that each needs. Without their passwords, which stay, they are of no use."""
    if subject.inventory.opsctl is not None:
        names = ", ".join(f"'{user}'" for user in ACCOUNTS.values())
        count = f"SELECT COUNT(*) FROM mysql.global_priv WHERE Host = 'localhost' AND User IN ({names})"  # noqa: S608 - fixed words
        yield Script(
            name="opsctl accounts",
            look=f'mariadb -NBe "{count}" 2>/dev/null || :',
            wanted=str(len(ACCOUNTS)),
            do=f"mariadb <{ACCOUNTS_SQL}",
            undo="true",
            keep=True,
            shown="create opsctl's accounts on the database server",
        )


def timers(subject: Subject) -> Iterator[Resource]:
    """The jobs' timers: whether they are as the settings say. The action that follows installs or removes them."""
    if subject.inventory.opsctl is not None:
        active = (
            f"for timer in $(grep -ls '^# Written by opsctl schedule' {_UNITS}/*.timer); "
            "do systemctl is-active --quiet ${timer##*/} || echo ${timer##*/} is off; done"
        )
        planned = f"opsctl --config {CONFIG} schedule install --dry-run 2>/dev/null"
        yield Script(
            name="opsctl timers",
            look=f"{{ {planned} || :; }} | grep -o '^{_IN_PLACE}' || :; {active}",
            wanted=_IN_PLACE,
            do="true",
            undo="true",
            then=("install schedule",),
            shown="let opsctl's jobs run by timers",
        )
