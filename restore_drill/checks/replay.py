"""Check 8, replay confirmation: the binary logs since the backup were applied without a gap, up to the last one."""

from collections.abc import Iterable
from datetime import datetime

from backup.segment import Segment
from opsctl.core.clock import iso
from opsctl.core.errors import AuthError, IntegrityError, OpsError
from opsctl.core.mariadb.gtid import BinlogState
from opsctl.core.result import Result
from opsctl.core.store import MissingError
from restore_drill.checks.coherence import Coherence, check_tables
from restore_drill.checks.needs import need_server
from restore_drill.checks.tally import Tally, lacked_means, one_line, sentence
from restore_drill.checks.wordpress import wordpress_sites
from restore_drill.checks.wp_config import WpConfig, judge_site
from restore_drill.replay import Replayed
from restore_drill.restored import CouldNotRunError, Restored
from restore_drill.scratch import ScratchServer

_BASE_TABLES = (
    "SELECT TABLE_SCHEMA AS db, TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' "
    "AND TABLE_SCHEMA NOT IN ('information_schema', 'performance_schema')"
)
_HINT = (
    "what was written after this point is not recoverable from here: take a full backup, then run: opsctl binlog gaps"
)


class ReplayConfirmation:
    """A database that was not coherent before the replay, and a login that failed before it, are not judged again."""

    id = "replay"
    title = "replay confirmation"

    def run(self, restored: Restored) -> Result:
        """Judge the database after replay. Raises CouldNotRunError when there was nothing to replay, or nothing to
        replay it on."""
        tally = Tally(
            "no gap; the last GTID and the last heartbeat that were shipped are reached; every table is whole, and "
            "WordPress logs in"
        )
        if restored.replayed is None or isinstance(restored.replayed.error, CouldNotRunError):
            raise CouldNotRunError("the binary logs were not applied, since the scratch server does not run")
        if restored.replayed.error is not None:
            _note_failure(restored, restored.replayed.error, tally)
            return tally.result(self, "")
        replayed = restored.replayed.need()
        if replayed.segments == 0:
            raise CouldNotRunError("nothing was shipped since the backup", hint="run on the host: opsctl binlog ship")
        tally.figures |= {"segments": replayed.segments, "transactions": replayed.transactions}
        self._reach(restored, replayed, tally)
        self._database(restored, need_server(restored), tally)
        return tally.result(
            self,
            f"{tally.counted('transactions', 'transaction')} in {tally.counted('segments', 'segment')}, up to GTID"
            f" {replayed.gtid_position} and the heartbeat of {_text(replayed.heartbeat)}",
        )

    def _reach(self, restored: Restored, replayed: Replayed, tally: Tally) -> None:
        """The end of what was shipped is the end of what was applied."""
        segments = _newest_lineage(restored)
        tally.figures |= {"gtid": replayed.gtid_position}
        if BinlogState.parse(replayed.gtid_state) != BinlogState.parse(segments[-1].last_state):
            tally.problem(
                f"the replay ends at {replayed.gtid_state}, what was shipped at {segments[-1].last_state}: "
                + (sentence(replayed.warnings) or "they do not join up"),
                hint=_HINT,
            )
        # The last one, not the greatest: a clock may have been set back.
        shipped = next((segment.heartbeat for segment in reversed(segments) if segment.heartbeat), None)
        if replayed.heartbeat is None:
            tally.problem("there is no heartbeat in the restored database", hint="run on the host: opsctl doctor")
        elif shipped is not None and replayed.heartbeat < shipped:
            tally.problem(
                f"the heartbeat is of {iso(replayed.heartbeat)}, the shipped one of {iso(shipped)}", hint=_HINT
            )
        tally.figures |= {"heartbeat": _text(replayed.heartbeat), "heartbeat_shipped": _text(shipped)}

    def _database(self, restored: Restored, server: ScratchServer, tally: Tally) -> None:
        """CHECK TABLE on all that is there now, and the login, as far as they were good before."""
        tables = [(str(row["db"]), str(row["name"])) for row in server.query(_BASE_TABLES)]
        before = _bad_before(restored)
        bad = check_tables(server, (name for name in tables if ".".join(name) not in before))
        tally.figures |= {"tables_checked": len(tables), "bad_tables": [".".join(name) for name in sorted(bad)]}
        for name, said in bad.items():
            tally.problem(
                f"{'.'.join(name)}: {said}", hint="it was whole before the replay: see the server's error log"
            )
        login = restored.results.get(WpConfig.id)
        if login is not None and login.passed:
            logins = [
                address for site in wordpress_sites(restored.manifest) if (address := judge_site(restored, site, tally))
            ]
            tally.figures["logins"] = len(logins)


def _note_failure(restored: Restored, error: OpsError, tally: Tally) -> None:
    coherence = restored.results.get(Coherence.id)
    if coherence is not None and not coherence.passed:
        tally.unjudged.append(
            f"the database was not good before the replay (check 3), which then failed: {one_line(error)}"
        )
    elif isinstance(error, IntegrityError | AuthError | MissingError) and not lacked_means(error):
        tally.problem(f"{one_line(error)} ({error.where})" if error.where else one_line(error), hint=_HINT)
    else:
        tally.unjudged.append(one_line(error))
        tally.hint = error.hint


def _newest_lineage(restored: Restored) -> list[Segment]:
    """The segments of the lineage that began last; there is one, since some of it was applied."""
    catalog = restored.catalog
    lineages: Iterable[list[Segment]] = (catalog.segments(ref) for ref in reversed(catalog.lineages()))
    return next(segments for segments in lineages if segments)


def _bad_before(restored: Restored) -> frozenset[str]:
    """The tables that check 3 found bad."""
    coherence = restored.results.get(Coherence.id)
    bad = coherence.figures.get("bad_tables") if coherence is not None else None
    return frozenset(str(name) for name in bad) if isinstance(bad, list) else frozenset()


def _text(moment: datetime | None) -> str | None:
    return iso(moment) if moment is not None else None
