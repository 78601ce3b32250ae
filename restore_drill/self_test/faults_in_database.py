"""Faults in what mariadb-backup wrote, made before it was sealed: hashes and signatures hold."""

import re
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from backup.manifest import Table
from opsctl.core.mariadb.heartbeat import HEARTBEAT_TABLE
from restore_drill.self_test import key_file, streams
from restore_drill.self_test.bench import Bench
from restore_drill.self_test.fault import Fault, InapplicableError

_PLAIN = re.compile(r"[A-Za-z0-9_]+")
_PREFIXES = ("xtrabackup_", "mariadb_backup_")
_PAGE = 16384
_ROOT_PAGE = 3 * _PAGE
_DELTA = ".delta"
_PAGE_LSN = 16  # FIL_PAGE_LSN, which encryption leaves as it is: storage/innobase/include/fil0types.h
_UNREAD = ("mysql", "transaction_registry")
_DOMAIN = re.compile(r"(?<![\d-])(\d+)(?=-\d+-\d+)")
_LSN = re.compile(rb"(?m)^(from_lsn|to_lsn|last_lsn) = (\d+)$")


def _tables(bench: Bench) -> list[Table]:
    """InnoDB tables whose loss no other check has to notice: none that logins, keys or heartbeats are looked up in.

    The sites' come first; of the server's own, one that nothing reads unless somebody asks.
    """
    spared = {bench.model.facts.wp_database, "mysql", "sys", HEARTBEAT_TABLE.partition(".")[0]}
    queries = " ".join(site.known_value.query for site in bench.manifest.sites if site.known_value)
    inventory = [table for table in bench.manifest.database.tables if table.engine == "InnoDB"]
    free = [table for table in inventory if table.database not in spared and table.name not in queries]
    own = [table for table in inventory if (table.database, table.name) == _UNREAD]
    return [table for table in free + own if _PLAIN.fullmatch(table.database) and _PLAIN.fullmatch(table.name)]


def _pages(table: Table) -> Callable[[str], bool]:
    """Whether a file of the stream holds the table: it is called .new if the table was made since the server's last
    checkpoint."""
    return lambda found: found in [f"{table.database}/{table.name}{ending}" for ending in (".ibd", ".new")]


def _file_missing(bench: Bench) -> None:
    """Of the full backup: an incremental one lacks it as it lacks a table that was dropped."""
    untouched = _untouched(bench)
    for table in _tables(bench):
        if any(_pages(table)(found) for found in untouched):
            bench.change_stream(streams.without(_pages(table)), link=0)
            bench.publish()
            return
    raise InapplicableError("there is no InnoDB table besides those of WordPress and the server itself")


def _pages_zeroed(bench: Bench) -> None:
    """Of a table whose pages are on the disk and not in the redo log alone, from which they would come back."""
    settled = _settled(bench) & _untouched(bench)
    for table in _tables(bench):
        if any(_pages(table)(found) for found in settled):
            bench.change_stream(streams.zeroed(_pages(table), _ROOT_PAGE), link=0)
            bench.publish()
            return
    raise InapplicableError("every table was made or rewritten just before the backup")


def _settled(bench: Bench) -> set[str]:
    """The files of the full backup's tables whose root page was last changed before its redo log begins."""
    begins = int(bench.chain[0].database.to_lsn)
    found = set()
    with bench.model.plain(_database(bench), 0).open("rb") as stream:
        for chunk in streams.read_chunks(stream):
            place = _ROOT_PAGE - chunk.offset
            if chunk.kind == b"P" and "/" in chunk.name and 0 <= place < len(chunk.data) - _PAGE_LSN:
                (lsn,) = struct.unpack_from(">Q", chunk.data, place + _PAGE_LSN)
                if 0 < lsn <= begins:
                    found.add(chunk.name)
    return found


def _untouched(bench: Bench) -> set[str]:
    """The files of the full backup's tables of which no incremental one after it holds a page."""
    found = set(_files(bench, 0))
    for link in range(1, len(bench.chain)):
        sizes: Counter[str] = Counter()
        with bench.model.plain(_database(bench), link).open("rb") as stream:
            for chunk in streams.read_chunks(stream):
                sizes[chunk.name] += len(chunk.data)
        # What did not change comes as a heading alone, which fills a page: extra/mariabackup/write_filt.cc.
        unchanged = {name.removesuffix(_DELTA) for name, size in sizes.items() if size <= _PAGE and _DELTA in name}
        found = {name for name in found if name in unchanged or f"{name.rpartition('.')[0]}.ibd" in unchanged}
    return found


def _database(bench: Bench) -> str:
    return next(artefact.name for artefact in bench.manifest.artefacts if artefact.kind == "database")


def _killed(bench: Bench) -> None:
    """The second half of the tables' files never came; the files that tell how to prepare did."""

    def edit(chunks: Iterator[streams.Chunk]) -> Iterator[streams.Chunk]:
        files = _files(bench)
        late = {path for path in files[len(files) // 2 :] if "/" in path}
        return (chunk for chunk in chunks if chunk.name not in late)

    bench.change_stream(edit)
    bench.publish()


def _files(bench: Bench, link: int = -1) -> list[str]:
    """The files of a stream in the order in which they ended."""
    with bench.model.plain(_database(bench), link).open("rb") as stream:
        return [chunk.name for chunk in streams.read_chunks(stream) if chunk.kind == b"E"]


def _info(name: str) -> Callable[[str], bool]:
    return lambda path: path in [prefix + name for prefix in _PREFIXES]


def _changed_info(name: str, change: Callable[[bytes], bytes]) -> list[streams.Edit]:
    return [streams.replaced(prefix + name, change) for prefix in _PREFIXES]


def _no_binlog_info(bench: Bench) -> None:
    if bench.manifest.database.binlog_file is None:
        raise InapplicableError("the server has no binary log")
    bench.change_stream(streams.without(_info("binlog_info")))
    bench.publish()


def _other_lsns(bench: Bench) -> None:
    """The checkpoints of a backup that was taken a while later."""

    def later(text: bytes) -> bytes:
        return _LSN.sub(lambda found: b"%s = %d" % (found[1], int(found[2]) + 4096 * (found[1] != b"from_lsn")), text)

    bench.change_stream(*_changed_info("checkpoints", later))
    bench.publish()


def _other_domain(bench: Bench) -> None:
    """A backup that says, everywhere, that its transactions are of a GTID domain that was never shipped."""
    database = bench.manifest.database
    if not database.gtid_state:
        raise InapplicableError("the server has no GTIDs")

    def moved(text: str) -> str:
        return _DOMAIN.sub(lambda found: str(int(found[1]) + 7), text)

    def moved_info(data: bytes) -> bytes:
        file, position, gtid = data.decode().split("\t")
        return "\t".join((file, position, moved(gtid))).encode()

    bench.change_stream(*_changed_info("binlog_info", moved_info))
    update = {"gtid_state": moved(database.gtid_state), "gtid_position": moved(database.gtid_position)}
    bench.publish(database=database.model_copy(update=update))


def _no_heartbeat(bench: Bench) -> None:
    """The table is not in the stream, and neither in the inventory: it was not there when the backup was made."""
    path = HEARTBEAT_TABLE.replace(".", "/")
    schema, _, name = HEARTBEAT_TABLE.partition(".")
    database = bench.manifest.database
    tables = tuple(table for table in database.tables if (table.database, table.name) != (schema, name))
    bench.change_stream(streams.without(lambda found: found.rpartition(".")[0] == path))
    bench.publish(database=database.model_copy(update={"tables": tables}))


def _other_keys(bench: Bench) -> None:
    _change_key_file(bench, key_file.with_other_keys)


def _key_missing(bench: Bench) -> None:
    """Not key 1, which the redo log needs too, unless there is no other."""
    used = _used_keys(bench)
    _change_key_file(bench, key_file.without_key(max(used)))


def _used_keys(bench: Bench) -> list[int]:
    found = bench.model.facts.key_ids
    if not found:
        raise InapplicableError("the database is not encrypted")
    return found


def _change_key_file(bench: Bench, change: Callable[[key_file.Lines], key_file.Lines]) -> None:
    _used_keys(bench)
    facts = bench.model.facts
    if facts.key_file is None:
        raise InapplicableError("the database has no key file")
    filekey = bench.content(facts.filekey_file) if facts.filekey_file else None
    bench.change_files({facts.key_file: key_file.edit(bench.content(facts.key_file), filekey, change)})
    bench.publish()


def _own_server_id(bench: Bench) -> None:
    bench.replay_server_id = bench.manifest.database.server_id


_fault = partial(Fault, family="content")

FAULTS = (
    _fault(id="ibd-missing", title="a table's file is missing", expected="coherence", make=_file_missing),
    _fault(id="pages-zeroed", title="a table's pages are zeros", expected="coherence", make=_pages_zeroed),
    _fault(
        id="killed",
        title="the backup's producer was killed and what is left is well formed",
        expected="coherence",
        make=_killed,
    ),
    _fault(id="no-binlog-info", title="the binlog info is missing", expected="coherence", make=_no_binlog_info),
    _fault(id="other-lsns", title="the LSNs are those of another backup", expected="coherence", make=_other_lsns),
    _fault(id="other-keys", title="the keys archive holds other keys", expected="keys", make=_other_keys),
    _fault(id="key-missing", title="the key file lacks one key", expected="keys", make=_key_missing),
    _fault(id="other-domain", title="the GTID state is of another domain", expected="replay", make=_other_domain),
    _fault(id="no-heartbeat", title="the heartbeat table is missing", expected="replay", make=_no_heartbeat),
    _fault(
        id="own-server-id",
        title="the scratch server has the source's id",
        expected="replay",
        make=_own_server_id,
    ),
)
