"""Whether what is published can be harmed with this machine's own credentials: tried, not assumed."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from opsctl.core.errors import OpsError, UnreachableError
from opsctl.core.store import Store, get

Attack = Callable[[], object]
CANARY = b"opsctl tries to harm this object; it is of no other use\n"


@runtime_checkable
class AttackableStore(Store, Protocol):
    """A store that knows what its protocol offers to somebody who means harm."""

    def attacks(self, key: str) -> Mapping[str, Attack]:
        """What a hijacked host could do to an object, by name. Each raises OpsError when the store refuses."""
        ...


@dataclass(frozen=True)
class Attempt:
    """One attack on an object: whether it was still the same afterwards, and what the store said if it refused."""

    name: str
    withstood: bool
    said: str | None


def tamper(store: AttackableStore, prefix: str, *, retain_until: datetime | None) -> list[Attempt]:
    """Publish an object under `prefix` for each attack, carry it out, and look whether the object is still the same.

    The objects are published as backups are, locked until `retain_until` (UTC) if that is given; those that are not
    locked are deleted again. Raises what publishing raises, and UnreachableError: no attack was withstood by a store
    that could not be asked.
    """
    attempts = []
    for name in store.attacks(f"{prefix}x"):
        key = f"{prefix}{name}"
        with store.create(key, retain_until=retain_until) as upload:
            upload.write(CANARY)
            upload.commit()
        said = _carry_out(store.attacks(key)[name])
        attempts.append(Attempt(name, _is_whole(store, key), said))
    for item in list(store.list(prefix)):  # also what an attack has made of one
        with contextlib.suppress(OpsError):
            store.delete(item.key)
    return attempts


def _carry_out(attack: Attack) -> str | None:
    try:
        attack()
    except UnreachableError:
        raise
    except OpsError as error:
        return str(error)
    return None


def _is_whole(store: Store, key: str) -> bool:
    try:
        return get(store, key) == CANARY
    except UnreachableError:
        raise
    except OpsError:
        return False
