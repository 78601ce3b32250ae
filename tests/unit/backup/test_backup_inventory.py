"""Holding the stream's files against the inventory of tables."""

import pytest

from backup.inventory import Inventory, Listed, confirm
from backup.manifest import Table
from backup.mbstream import StreamContent
from opsctl.core.errors import IntegrityError


def table(name: str, engine: str | None = "InnoDB", *, path: str | None = None, kind: str = "table") -> Listed:
    return Listed(
        Table.model_validate({"database": "db", "name": name, "kind": kind, "engine": engine}), path or f"db/{name}"
    )


def inventory(*tables: Listed, spaces: tuple[str, ...] | None = None) -> Inventory:
    innodb = tuple(listed.path for listed in tables if listed.table.engine == "InnoDB")
    return Inventory(frozenset(tables), frozenset(innodb if spaces is None else spaces))


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
    [found] = confirm(before, before, stream("db/t.frm", *EACH[engine]))
    assert (found.name, found.engine) == ("t", engine)


@pytest.mark.parametrize(
    ("engine", "missing"), [(engine, file) for engine, files in EACH.items() for file in (*files, "db/t.frm")]
)
def test_a_table_without_one_of_its_files_is_named(engine: str, missing: str) -> None:
    before = inventory(table("t", engine))
    files = {"db/t.frm", *EACH[engine]} - {missing}
    with pytest.raises(IntegrityError, match=missing.replace(".", r"\.")):
        confirm(before, before, stream(*files))


@pytest.mark.parametrize("engine", ["MyISAM", "Aria"])
def test_partitions_are_files_of_their_own(engine: str) -> None:
    before = inventory(table("t", engine))
    files = [f"db/t#P#p{number}{file[4:]}" for number in (0, 1) for file in EACH[engine]]
    confirm(before, before, stream("db/t.frm", "db/t.par", *files))
    with pytest.raises(IntegrityError):
        confirm(before, before, stream("db/t.frm", "db/t.par", *(file for file in files if file.endswith("I"))))


def test_each_partition_of_an_innodb_table_has_to_be_there() -> None:
    before = inventory(table("t"), spaces=("db/t#P#p0", "db/t#P#p1"))
    confirm(before, before, stream("db/t.frm", "db/t#P#p0.ibd", "db/t#P#p1.ibd"))
    with pytest.raises(IntegrityError, match="p1"):
        confirm(before, before, stream("db/t.frm", "db/t#P#p0.ibd"))


def test_a_table_in_the_system_tablespace_has_no_file_of_its_own() -> None:
    before = inventory(table("t"), spaces=())
    assert len(confirm(before, before, stream("db/t.frm", "ibdata1"))) == 1


def test_a_table_that_was_altered_or_renamed_during_the_backup_counts() -> None:
    before = inventory(table("altered"), table("renamed"))
    content = stream("db/altered.frm", "db/altered.new", "db/renamed.frm", "db/old.ibd", old=b"db/renamed")
    assert len(confirm(before, before, content)) == 2


def test_tables_made_or_dropped_during_the_backup_count_if_they_are_in_it() -> None:
    before, after = inventory(table("kept"), table("dropped")), inventory(table("kept"), table("made"), table("late"))
    files = stream("db/kept.frm", "db/kept.ibd", "db/made.frm", "db/made.ibd")
    assert [found.name for found in confirm(before, after, files)] == ["kept", "made"]


def test_views_and_sequences_are_listed_with_tables_under_their_real_names() -> None:
    before = inventory(
        table("a view", None, path="db/a@0020view", kind="view"),
        table("s", kind="sequence"),
    )
    found = confirm(before, before, stream("db/a@0020view.frm", "db/s.frm", "db/s.ibd"))
    assert [(each.name, each.kind) for each in found] == [("a view", "view"), ("s", "sequence")]
