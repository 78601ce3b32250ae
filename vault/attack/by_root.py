"""Attacks by somebody who has taken over the database server. Nothing refuses them: the chain and checkpoints tell."""

from collections.abc import Sequence

from opsctl.core import chain
from opsctl.core.mariadb.connect import Connection, rows
from opsctl.core.pipeline import run_pipeline
from opsctl.core.process import client_options, command
from vault.attack.play import Attack, Defence, Play
from vault.attack.scene import ALL, SIGNED, Scene, with_triggers, without_triggers, write
from vault.migrate import reapply

REPLAY_TIMEOUT_S = 60.0


def attacks() -> list[Attack]:
    """All of them, each with what has to stop or find it."""
    plays: Sequence[tuple[str, str, Play, Defence]] = (
        ("cut_signed_tail", "cut the tail that a checkpoint has seen", _cut(SIGNED - 2), Defence.CHECKPOINT),
        ("cut_new_tail", "cut the tail that no checkpoint has seen", _cut(SIGNED + 2), Defence.NONE),
        ("rewrite_signed", "rewrite from the middle, with right hashes", _rewrite(5), Defence.CHECKPOINT),
        ("rewrite_new", "rewrite behind the checkpoint, with right hashes", _rewrite(SIGNED + 2), Defence.NONE),
        ("update", "change a payload under dropped triggers", _update, Defence.CHAIN),
        ("reorder", "let two rows change places", _reorder, Defence.CHAIN),
        ("insert", "insert a row in between", _insert, Defence.CHAIN),
        ("swap", "swap the table by rename", _swap, Defence.CHECKPOINT),
        ("truncate", "empty the table by TRUNCATE", _truncate, Defence.CHECKPOINT),
        ("partition", "drop a partition", _partition, Defence.CHAIN),
        ("cascade", "delete by a foreign key's cascade", _cascade, Defence.CHAIN),
        ("column", "drop the payload and add it with a default", _column, Defence.CHAIN),
        ("trigger_back", "drop the trigger, write a row, put it back", _trigger_back, Defence.CHAIN),
        ("append", "append a false row as the application would", _append, Defence.APPENDED),
        ("sequence", "write a huge sequence under dropped triggers", _sequence, Defence.CHAIN),
        ("disarm", "leave the triggers dropped", _disarm, Defence.PROBE),
        ("replay", "replay the binary log's statements", _replay, Defence.HARMLESS),
        ("older_copy", "restore an older copy", _older_copy, Defence.CHECKPOINT),
        ("new_log", "put a whole new log in the place of this one", _new_log, Defence.CHECKPOINT),
    )
    return [Attack(f"root.{name}", title, "root", play, defence) for name, title, play, defence in plays]


def _cut(last: int) -> Play:
    def play(scene: Scene) -> None:
        with scene.root() as connection:
            without_triggers(connection)
            rows(connection, "DELETE FROM audit WHERE seq > %s", last)
            rows(
                connection,
                "UPDATE audit_head h JOIN audit a ON a.seq = %s SET h.seq = a.seq, h.row_hash = a.row_hash",
                last,
            )
            with_triggers(connection)

    return play


def _rewrite(first: int) -> Play:
    def play(scene: Scene) -> None:
        with scene.root() as connection:
            without_triggers(connection)
            _forge(scene, connection, "audit", first)
            with_triggers(connection)

    return play


def _forge(scene: Scene, connection: Connection, table: str, first: int) -> None:
    """Write false payloads from a row on, and all hashes as they have to be."""
    log_id, log = scene.log()
    prev = log[first - 2].row_hash
    statement = f"UPDATE {table} SET payload = %s, prev_hash = _binary %s, row_hash = _binary %s WHERE seq = %s"  # noqa: S608
    for row in log[first - 1 :]:
        payload = b"forged" if row.seq == first else row.payload
        digest = chain.row_hash(log_id, row.seq, prev, payload)
        rows(connection, statement, payload, prev, digest, row.seq)
        prev = digest
    rows(connection, "UPDATE audit_head SET row_hash = _binary %s", prev)


def _update(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        rows(connection, "UPDATE audit SET payload = 'forged' WHERE seq = 5")
        with_triggers(connection)


def _reorder(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        for before, after in ((5, 1000), (6, 5), (1000, 6)):
            rows(connection, "UPDATE audit SET seq = %s WHERE seq = %s", after, before)
        with_triggers(connection)


def _insert(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        rows(connection, "UPDATE audit SET seq = seq + 1 WHERE seq > 5 ORDER BY seq DESC")
        rows(connection, "INSERT INTO audit SELECT 6, row_hash, REPEAT('x', 32), 'forged' FROM audit WHERE seq = 5")
        with_triggers(connection)


def _swap(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        rows(connection, "CREATE TABLE other LIKE audit")
        rows(connection, "INSERT INTO other SELECT * FROM audit")
        _forge(scene, connection, "other", 3)
        rows(connection, "RENAME TABLE audit TO gone, other TO audit")
        rows(connection, "DROP TABLE gone")
        with_triggers(connection)


def _truncate(scene: Scene) -> None:
    with scene.root() as connection:
        rows(connection, "TRUNCATE audit")


def _partition(scene: Scene) -> None:
    with scene.root() as connection:
        rows(
            connection,
            "ALTER TABLE audit PARTITION BY RANGE (seq)"
            " (PARTITION p0 VALUES LESS THAN (6), PARTITION p1 VALUES LESS THAN MAXVALUE)",
        )
        rows(connection, "ALTER TABLE audit DROP PARTITION p0")
        rows(connection, "ALTER TABLE audit REMOVE PARTITIONING")


def _cascade(scene: Scene) -> None:
    with scene.root() as connection:
        rows(
            connection,
            "CREATE TABLE parent (seq BIGINT UNSIGNED NOT NULL PRIMARY KEY) ENGINE=InnoDB SELECT seq FROM audit",
        )
        rows(
            connection,
            "ALTER TABLE audit ADD CONSTRAINT c FOREIGN KEY (seq) REFERENCES parent (seq) ON DELETE CASCADE",
        )
        rows(connection, "DELETE FROM parent WHERE seq = 7")
        rows(connection, "ALTER TABLE audit DROP FOREIGN KEY c")
        rows(connection, "DROP TABLE parent")


def _column(scene: Scene) -> None:
    with scene.root() as connection:
        rows(connection, "ALTER TABLE audit DROP COLUMN payload, ADD COLUMN payload LONGBLOB NOT NULL DEFAULT 'forged'")
        rows(connection, "ALTER TABLE audit MODIFY COLUMN payload LONGBLOB NOT NULL")


def _trigger_back(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        rows(connection, "INSERT INTO audit SELECT %s, REPEAT('x', 32), REPEAT('x', 32), 'forged'", ALL + 1)
        with_triggers(connection)


def _append(scene: Scene) -> None:
    with scene.root() as connection:
        write(connection, "forged")


def _sequence(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)
        rows(connection, "INSERT INTO audit VALUES (18446744073709551615, '', '', 'x')")
        with_triggers(connection)


def _disarm(scene: Scene) -> None:
    with scene.root() as connection:
        without_triggers(connection)


def _replay(scene: Scene) -> None:
    """Read the newest binary log and run its statements once more, as a careless point-in-time recovery does."""
    with scene.root() as connection:
        rows(connection, "FLUSH BINARY LOGS")
        with scene.application() as application:
            write(application, "replayed")
        ((name, *_),) = rows(connection, "SHOW MASTER STATUS")
        rows(connection, "FLUSH BINARY LOGS")
    user = scene.vault.settings.admin_user
    with client_options(user=user, password=None, socket=scene.vault.socket) as (option, descriptor):
        read = command("mariadb-binlog", option, "--read-from-remote-server", str(name))
        replay = command("mariadb", option, "--binary-mode")
        stages = [read.prefixed((), pass_fds=(descriptor,)), replay.prefixed((), pass_fds=(descriptor,))]
        run_pipeline(stages, timeout_s=REPLAY_TIMEOUT_S)


def _older_copy(scene: Scene) -> None:
    with scene.root() as connection:
        rows(connection, "CREATE TABLE kept SELECT * FROM audit")
        rows(connection, "CREATE TABLE kept_head SELECT * FROM audit_head")
        with scene.application() as application:
            write(application, "what shall never have been")
        scene.sign()
        for table in ("audit", "audit_head"):
            rows(connection, f"TRUNCATE {table}")
        without_triggers(connection)
        rows(connection, "INSERT INTO audit SELECT * FROM kept")
        rows(connection, "INSERT INTO audit_head SELECT * FROM kept_head")
        rows(connection, "DROP TABLE kept, kept_head")
        with_triggers(connection)


def _new_log(scene: Scene) -> None:
    with scene.root() as connection:
        for table in ("audit", "audit_head", "audit_log"):
            rows(connection, f"TRUNCATE {table}")
        reapply(connection, versions=(1, 2))
        write(connection, *(f"event {number} never was" for number in range(ALL)))
