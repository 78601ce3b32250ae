"""Holding the stream's files against the inventory of tables."""

from datetime import UTC, datetime, timedelta

import pytest

from backup.inventory import Inventory, Listed, confirm
from backup.manifest import Table
from backup.mbstream import StreamContent
from opsctl.core.errors import IntegrityError

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def table(
    name: str, engine: str | None = "InnoDB", *, path: str | None = None, kind: str = "table", made: int = 1
) -> Listed:
    fields = {"database": "db", "name": name, "kind": kind, "engine": engine}
    return Listed(Table.model_validate(fields), path or f"db/{name}", NOON + timedelta(seconds=made))


def confirmed(
    before: Inventory, after: Inventory, content: StreamContent, *, locked_at: datetime = NOON
) -> tuple[Table, ...]:
    return confirm(before, after, content, locked_at)


def inventory(*tables: Listed, spaces: tuple[str, ...] | None = None) -> Inventory:
    """The tables, each of InnoDB with a tablespace whose id tells when it was made; `spaces` replaces those."""
    innodb = {(listed.path, hash(listed.made)) for listed in tables if listed.table.engine == "InnoDB"}
    return Inventory(frozenset(tables), frozenset(innodb if spaces is None else {(path, 1) for path in spaces}))


def stream(*files: str, **kept: bytes) -> StreamContent:
    return StreamContent(frozenset(files), {f"db/{name}.ren": data for name, data in kept.items()})


EACH = {
    "InnoDB": ("db/t.ibd",),
    "MyISAM": ("db/t.MYI", "db/t.MYD"),
    "Aria": ("db/t.MAI", "db/t.MAD"),
    "CSV": ("db/t.CSV",),
    "ARCHIVE": ("db/t.ARZ",),
    "MRG_MyISAM": ("db/t.MRG",),
    "MEMORY": (),
}


@pytest.mark.parametrize("engine", EACH)
def test_a_table_with_all_files_of_its_engine_is_in_the_inventory(engine: str) -> None:
    before = inventory(table("t", engine))
    [found] = confirmed(before, before, stream("db/t.frm", *EACH[engine]))
    assert (found.name, found.engine) == ("t", engine)


@pytest.mark.parametrize(
    ("engine", "missing"), [(engine, file) for engine, files in EACH.items() for file in (*files, "db/t.frm")]
)
def test_a_table_without_one_of_its_files_is_named(engine: str, missing: str) -> None:
    before = inventory(table("t", engine))
    files = {"db/t.frm", *EACH[engine]} - {missing}
    with pytest.raises(IntegrityError, match=missing.replace(".", r"\.")):
        confirmed(before, before, stream(*files))


@pytest.mark.parametrize("engine", ["MyISAM", "Aria"])
def test_partitions_are_files_of_their_own(engine: str) -> None:
    before = inventory(table("t", engine))
    files = [f"db/t#P#p{number}{file[4:]}" for number in (0, 1) for file in EACH[engine]]
    confirmed(before, before, stream("db/t.frm", "db/t.par", *files))
    with pytest.raises(IntegrityError):
        confirmed(before, before, stream("db/t.frm", "db/t.par", *(file for file in files if file.endswith("I"))))


def test_each_partition_of_an_innodb_table_has_to_be_there() -> None:
    before = inventory(table("t"), spaces=("db/t#P#p0", "db/t#P#p1"))
    confirmed(before, before, stream("db/t.frm", "db/t#P#p0.ibd", "db/t#P#p1.ibd"))
    with pytest.raises(IntegrityError, match="p1"):
        confirmed(before, before, stream("db/t.frm", "db/t#P#p0.ibd"))


def test_a_table_in_the_system_tablespace_has_no_file_of_its_own() -> None:
    before = inventory(table("t"), spaces=())
    assert len(confirmed(before, before, stream("db/t.frm", "ibdata1"))) == 1


def test_a_table_that_was_altered_or_renamed_during_the_backup_counts() -> None:
    before = inventory(table("altered"), table("renamed"))
    content = stream("db/altered.frm", "db/altered.new", "db/renamed.frm", "db/old.ibd", old=b"db/renamed")
    assert len(confirmed(before, before, content)) == 2


def test_tables_made_or_dropped_during_the_backup_count_if_they_are_in_it() -> None:
    before, after = inventory(table("kept"), table("dropped")), inventory(table("kept"), table("made"), table("late"))
    files = stream("db/kept.frm", "db/kept.ibd", "db/made.frm", "db/made.ibd")
    assert [found.name for found in confirmed(before, after, files)] == ["kept", "made"]


@pytest.mark.parametrize("engine", EACH)
def test_a_table_dropped_and_made_again_during_the_backup_may_be_missing_but_not_half(engine: str) -> None:
    before, after = inventory(table("t", engine)), inventory(table("t", engine, made=2))
    assert confirmed(before, after, stream("ibdata1")) == ()
    assert len(confirmed(before, after, stream("db/t.frm", *EACH[engine]))) == 1
    for missing in EACH[engine]:
        with pytest.raises(IntegrityError):
            confirmed(before, after, stream("db/t.frm", *{*EACH[engine]} - {missing}))


def test_a_table_made_before_definitions_were_held_fast_has_to_be_there() -> None:
    before, after = inventory(), inventory(table("t", "Aria", made=5))
    for late in (0, 4, 5):
        assert confirmed(before, after, stream("ibdata1"), locked_at=NOON + timedelta(seconds=late)) == ()
    with pytest.raises(IntegrityError, match=r"db/t\.frm"):
        confirmed(before, after, stream("ibdata1"), locked_at=NOON + timedelta(seconds=6))


def test_a_table_that_changed_its_engine_during_the_backup_is_in_it_in_either_form() -> None:
    before, after = inventory(table("t", "InnoDB")), inventory(table("t", "Aria", made=2))
    for files in (EACH["InnoDB"], EACH["Aria"]):
        assert len(confirmed(before, after, stream("db/t.frm", *files))) == 1
    with pytest.raises(IntegrityError):
        confirmed(before, after, stream("db/t.frm", "db/t.MAI"))


def test_views_and_sequences_are_listed_with_tables_under_their_real_names() -> None:
    before = inventory(
        table("a view", None, path="db/a@0020view", kind="view"),
        table("s", kind="sequence"),
    )
    found = confirmed(before, before, stream("db/a@0020view.frm", "db/s.frm", "db/s.ibd"))
    assert [(each.name, each.kind) for each in found] == [("a view", "view"), ("s", "sequence")]
