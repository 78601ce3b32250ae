"""One look at each repository: what is in it, and how far it reaches. One that cannot be reached does not end the look
at the others; one whose content does not hold does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from backup.binlog.lineage import full_backup_due
from backup.catalog import Catalog
from backup.chain import chain_of
from backup.logical.catalog import export_ids, read_export
from opsctl.core.errors import AuthError, UnreachableError
from opsctl.core.store import MissingError, StoreError


@dataclass(frozen=True)
class Place:
    """A repository as the settings name it; `immutable`: it is to keep what it receives from everybody."""

    name: str
    catalog: Catalog
    off_host: bool
    immutable: bool = False


@dataclass(frozen=True)
class Drilled:
    """What a drill proved, as its signed result says: of which backup, up to which heartbeat if logs were replayed; or
    of which logical export."""

    finished: datetime
    passed: bool
    repository: str
    backup: str
    replayed: bool
    export: bool = False


@dataclass(frozen=True)
class Reach:
    """How far a repository brings the database back: the moment (UTC), by what, and why not further."""

    until: datetime | None
    by: str
    warning: str | None


@dataclass(frozen=True)
class Survey:
    """What one repository holds; `backed_up`, `shipped` and `exported` are the newest of their kind (UTC).

    `problem` says why it could not be looked at: then nothing else here says anything.
    """

    name: str
    where: str
    off_host: bool
    backed_up: datetime | None
    shipped: datetime | None
    reach: Reach
    drills: tuple[Drilled, ...]
    problem: str | None = None
    immutable: bool = False
    exported: datetime | None = None
    export_drills: tuple[Drilled, ...] = ()


def survey(place: Place, drills: Callable[[Catalog], Iterable[Drilled]]) -> Survey:
    """Look at a repository; `drills` reads the drill results in it. Raises IntegrityError when something in it does not
    hold."""
    try:
        return _look(place, drills)
    except MissingError:
        raise
    except (UnreachableError, StoreError, AuthError) as error:
        nothing = Reach(None, f"the repository '{place.name}' could not be looked at", None)
        where = place.catalog.store.where
        problem, immutable = error.message, place.immutable
        return Survey(place.name, where, place.off_host, None, None, nothing, (), problem, immutable)


def _look(place: Place, drills: Callable[[Catalog], Iterable[Drilled]]) -> Survey:
    catalog = place.catalog
    ids, refs = catalog.backup_ids(), catalog.lineages()
    segments = catalog.segments(refs[-1]) if refs else []
    beats = [segment.heartbeat for segment in segments if segment.heartbeat]
    backed_up = chain_of(catalog, ids[-1])[-1].finished if ids else None
    exports = export_ids(catalog)
    drilled = tuple(drills(catalog))
    return Survey(
        name=place.name,
        where=catalog.store.where,
        off_host=place.off_host,
        backed_up=backed_up,
        shipped=segments[-1].sealed_at if segments else None,
        reach=_reach(catalog, ids[-1], backed_up, beats) if backed_up else Reach(None, "there is no backup", None),
        immutable=place.immutable,
        drills=tuple(drill for drill in drilled if not drill.export),
        exported=read_export(catalog, exports[-1]).finished if exports else None,
        export_drills=tuple(drill for drill in drilled if drill.export),
    )


def _reach(catalog: Catalog, backup_id: str, finished: datetime, beats: list[datetime]) -> Reach:
    """To the newest heartbeat, when the logs continue the newest full backup."""
    broken = full_backup_due(catalog)
    if broken is None and beats and beats[-1] > finished:
        return Reach(beats[-1], f"backup {backup_id} and the binary logs since", None)
    return Reach(finished, f"backup {backup_id} alone", broken or "no binary log was shipped since")
