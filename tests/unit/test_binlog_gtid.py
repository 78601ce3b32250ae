import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.core.errors import ExitCode
from opsctl.core.mariadb.gtid import BinlogState, Gtid, GtidPosition, GtidSyntaxError

gtids = st.builds(Gtid, st.integers(0, 3), st.integers(1, 3), st.integers(1, 1 << 63))


def test_a_gtid_is_read_and_written_as_mariadb_does() -> None:
    assert Gtid.parse(" 0-1-42 ") == Gtid(domain=0, server_id=1, seq=42)
    assert str(Gtid(4294967295, 4294967295, 18446744073709551615)) == "4294967295-4294967295-18446744073709551615"


@pytest.mark.parametrize(
    "text", ["", "1", "0-1", "0-1-2-3", "0-1-x", "0-1--2", "0-1-+2", "0-1-²", "4294967296-1-1", f"0-1-{1 << 64}"]
)
def test_what_is_no_gtid_is_a_usage_error(text: str) -> None:
    with pytest.raises(GtidSyntaxError) as caught:
        Gtid.parse(text)
    assert caught.value.exit_code == ExitCode.USAGE


def test_gtids_have_no_order() -> None:
    with pytest.raises(TypeError):
        Gtid(0, 1, 2) < Gtid(0, 1, 3)  # type: ignore[operator]  # noqa: B015


@given(st.lists(gtids))
def test_states_and_positions_survive_being_written_and_read(written: list[Gtid]) -> None:
    state = BinlogState.of(written)
    assert BinlogState.parse(str(state)) == state
    assert GtidPosition.parse(str(state.position())) == state.position()


@given(st.lists(gtids))
def test_a_state_holds_the_last_of_each_server_and_its_position_the_last_of_each_domain(written: list[Gtid]) -> None:
    state = BinlogState.of(written)
    assert set(state) == set({(gtid.domain, gtid.server_id): gtid for gtid in written}.values())
    assert set(state.position()) == set({gtid.domain: gtid for gtid in written}.values())


@given(st.lists(gtids), gtids)
def test_advancing_one_by_one_is_the_same_as_all_at_once(written: list[Gtid], last: Gtid) -> None:
    assert BinlogState.of(written).advance(last) == BinlogState.of([*written, last])
    assert GtidPosition.of(written).advance(last) == GtidPosition.of([*written, last])
    assert BinlogState.of(written).advance(last).position().in_domain(last.domain) == last


def test_the_same_entries_last_written_by_another_server_are_another_state() -> None:
    assert BinlogState.parse("0-1-5,0-2-6") != BinlogState.parse("0-2-6,0-1-5")
    assert BinlogState.parse("5-1-1,0-1-5") == BinlogState.parse("0-1-5,5-1-1")


def test_a_state_covers_what_its_server_wrote_and_a_position_what_its_domain_applied() -> None:
    state = BinlogState.parse("0-1-5,0-2-9")
    assert state.covers(Gtid(0, 1, 5))
    assert not state.covers(Gtid(0, 1, 6))
    assert not state.covers(Gtid(0, 3, 1))
    assert state.position().covers(Gtid(0, 1, 6))
    assert not state.position().covers(Gtid(0, 2, 10))
    assert not state.position().covers(Gtid(1, 2, 1))


def test_a_position_that_names_a_domain_twice_is_refused() -> None:
    with pytest.raises(GtidSyntaxError, match="twice"):
        GtidPosition.parse("0-1-5,0-2-6")


def test_nothing_written_is_an_empty_text() -> None:
    assert BinlogState.parse("") == BinlogState()
    assert not GtidPosition.parse("  ")
    assert str(BinlogState()) == ""
