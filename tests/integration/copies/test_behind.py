"""Backlog and lag: told without asking any other repository."""

from dataclasses import replace
from datetime import timedelta

from backup.copies.behind import Behind, behind
from backup.copies.run import Destination
from backup.layers import layers
from backup.survey import Place, survey
from opsctl.core.clock import utcnow
from tests.integration.copies.test_copy import copy
from tests.support.faulty_store import IsFull, LosesConnection
from tests.support.history import STACK, History


def look(history: History) -> Behind:
    [found] = behind(history.host.catalog, history.host.ledger, ["offsite"])
    return found


def test_what_was_never_copied_waits_from_the_beginning(history: History) -> None:
    found = look(history)
    objects = [item for item in history.store.list("") if "/heads/" not in item.key]
    assert (found.copied, found.backlog, found.backlog_size) == (None, len(objects), sum(each.size for each in objects))
    assert found.oldest == min(each.modified for each in objects)
    assert found.lag_s(utcnow() + timedelta(hours=1)) > 3600


def test_after_a_copy_nothing_waits_and_what_comes_then_does(history: History, offsite: Destination) -> None:
    record = copy(history, offsite)
    found = look(history)
    assert (found.copied, found.backlog, found.lag_s(utcnow())) == (record.finished, 0, 0.0)
    history.ship(2)
    found = look(history)
    assert found.backlog == 6
    assert found.oldest is not None
    assert found.oldest > record.finished


def test_what_a_copy_could_not_send_goes_on_waiting(history: History, offsite: Destination) -> None:
    copy(history, offsite)
    history.ship()
    full = replace(offsite, store=IsFull(offsite.store, 100))
    failed = copy(history, full)
    history.ship()
    found = look(history)
    assert found.backlog == 6
    assert found.oldest == failed.body.oldest_missing
    assert found.problems == failed.body.problems


def test_an_unreachable_repository_goes_on_falling_behind(history: History, offsite: Destination) -> None:
    first = copy(history, offsite)
    history.ship()

    class Gone(LosesConnection):
        def list(self, prefix: str, *, ending: str = ""):  # type: ignore[no-untyped-def]
            from opsctl.core.errors import UnreachableError

            raise UnreachableError("nobody answers", where=self.where)

    copy(history, replace(offsite, store=Gone(offsite.store, 0)))
    found = look(history)
    assert (found.copied, found.backlog) == (first.finished, 3)
    assert "nobody answers" in found.problems[0]


def test_the_layer_of_copies_says_what_is_missing(history: History, offsite: Destination) -> None:
    copy(history, offsite)
    history.ship()
    host = history.host
    elsewhere = replace(host, store=offsite.store).catalog
    surveys = [
        survey(Place("local", host.catalog, off_host=False), lambda catalog: ()),
        survey(Place("offsite", elsewhere, off_host=True), lambda catalog: ()),
    ]
    found = layers(STACK, surveys, host.ledger, [look(history)])
    assert found[2].note is not None
    assert found[2].note.startswith("'offsite' lacks 3 objects, the oldest of ")
