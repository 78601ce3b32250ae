"""Attacks by somebody who has taken over the application: its account can read and append, and nothing else."""

import threading
from functools import partial

from opsctl.core.mariadb.connect import rows
from vault.attack.play import Attack, Defence
from vault.attack.scene import Scene, write

_STATEMENTS = {
    "cut the tail": "DELETE FROM audit WHERE seq > 12",
    "rewrite a row": "UPDATE audit SET payload = 'forged' WHERE seq = 5",
    "rewrite a row by REPLACE": "REPLACE INTO audit (payload) VALUES ('forged')",
    "rewrite a row by ON DUPLICATE KEY": (
        "INSERT INTO audit (payload) VALUES ('forged') ON DUPLICATE KEY UPDATE payload = 'forged'"
    ),
    "empty the table": "TRUNCATE audit",
    "drop a partition": "ALTER TABLE audit DROP PARTITION p0",
    "swap the table by rename": "RENAME TABLE audit TO audit_old",
    "drop and add a column with a default": "ALTER TABLE audit DROP COLUMN payload, ADD COLUMN payload LONGBLOB",
    "delete by a foreign key's cascade": "ALTER TABLE audit ADD FOREIGN KEY (seq) REFERENCES x (seq) ON DELETE CASCADE",
    "drop a trigger": "DROP TRIGGER audit_insert",
    "kill the log by a huge sequence": "INSERT INTO audit (seq, payload) VALUES (18446744073709551615, 'x')",
    "choose the hash": "INSERT INTO audit (payload, row_hash) VALUES ('x', REPEAT('x', 32))",
    "look at the head, or hold its lock": "SELECT * FROM audit_head FOR UPDATE",
    "move the head": "UPDATE audit_head SET seq = 3",
}
_WRITERS, _EACH = 4, 25


def attacks() -> list[Attack]:
    """All of them."""
    refused = [
        Attack(f"app.{_id(title)}", title, "application", partial(_statement, statement=statement), Defence.REFUSED)
        for title, statement in _STATEMENTS.items()
    ]
    harmless = (
        ("choose the sequence by insert_id", _insert_id),
        ("cut payloads by sql_mode = ''", _sql_mode),
        ("fork the chain with writers at once", _writers),
        ("leave a gap by rolling back", _rollback),
    )
    return [
        *refused,
        *(Attack(f"app.{_id(title)}", title, "application", play, Defence.HARMLESS) for title, play in harmless),
    ]


def _id(title: str) -> str:
    kept = "".join(character if character.isalnum() else " " for character in title.lower())
    return "_".join(kept.split())


def _statement(scene: Scene, statement: str) -> None:
    with scene.application() as connection:
        rows(connection, statement)


def _insert_id(scene: Scene) -> None:
    with scene.application() as connection:
        rows(connection, "SET insert_id = 1000000")
        write(connection, "with insert_id")


def _sql_mode(scene: Scene) -> None:
    with scene.application() as connection:
        rows(connection, "SET SESSION sql_mode = ''")
        write(connection, "x" * 65_536)


def _rollback(scene: Scene) -> None:
    with scene.application() as connection:
        connection.begin()
        write(connection, "never")
        connection.rollback()
        write(connection, "after")


def _writers(scene: Scene) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with scene.application() as connection:
                write(connection, *(f"writer {number}" for number in range(_EACH)))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(_WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
