"""Checks 3 and 4 tell bad data from bad keys: each fault is reported by one of them, never by both."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from opsctl.core.errors import AuthError, IntegrityError, OpsError
from opsctl.core.result import Outcome, Result
from restore_drill.checks.coherence import Coherence
from restore_drill.checks.keys import Keys
from restore_drill.paths import ScratchPaths
from restore_drill.restored import Attempt, CouldNotRunError
from tests.support.key_file import read_keys, write_keys
from tests.support.restored import FILEKEY_FILE, KEY_FILE, Fixture

PAGE = 16384
CRM = "/srv/crm/application/config/app-config.php"
BLOG = "/etc/wordpress/config-blog.example.php"

Damage = Callable[[ScratchPaths], None]


def judge(demo: Fixture) -> tuple[Result, Result]:
    return Coherence().run(demo.restored), Keys().run(demo.restored)


def test_a_healthy_restore_passes_both(demo: Fixture) -> None:
    coherence, keys = judge(demo)
    assert coherence.outcome is Outcome.PASSED, coherence.found
    assert keys.outcome is Outcome.PASSED, keys.found
    assert keys.figures["key_ids_read"] == [1, 2, 3]
    assert keys.figures["known_values"] == 1


def zero_pages(paths: ScratchPaths) -> None:
    with (paths.data / "crm/tblcards.ibd").open("r+b") as file:
        file.seek(3 * PAGE)
        file.write(bytes(3 * PAGE))


def flip(paths: ScratchPaths) -> None:
    with (paths.data / "crm/tblcards.ibd").open("r+b") as file:
        file.seek(3 * PAGE + 600)
        file.write(b"flipped")


def cut_myisam(paths: ScratchPaths) -> None:
    data = paths.data / "crm/tblsessions.MYD"
    data.write_bytes(data.read_bytes()[:-40])


def remove(*names: str) -> Damage:
    def damage(paths: ScratchPaths) -> None:
        for name in names:
            (paths.data / name).unlink()

    return damage


def copy_table(paths: ScratchPaths) -> None:
    for suffix in (".frm", ".MYD", ".MYI"):
        source = paths.data / f"crm/tblsessions{suffix}"
        source.with_name(f"intruder{suffix}").write_bytes(source.read_bytes())


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (remove("crm/tblcalls.ibd"), "crm.tblcalls"),
        (remove("crm/tblcalls.ibd", "crm/tblcalls.frm"), "1 tables missing: crm.tblcalls"),
        (remove("crm/tblsessions.MYD"), "crm.tblsessions"),
        (remove("crm/pipeline.frm"), "1 tables missing: crm.pipeline"),
        (zero_pages, "crm.tblcards: "),
        (flip, "crm.tblcards: "),
        (cut_myisam, "crm.tblsessions: "),
        (copy_table, "1 tables not in the inventory: crm.intruder"),
    ],
)
def test_bad_data_is_reported_by_coherence_alone(demo: Fixture, damage: Damage, found: str) -> None:
    with demo.damaged(damage):
        coherence, keys = judge(demo)
    assert coherence.outcome is Outcome.FAILED, coherence.found
    assert found in coherence.found
    assert keys.outcome is not Outcome.FAILED, keys.found


def keys_changed(change: Callable[[list[str]], list[str]]) -> Damage:
    def damage(paths: ScratchPaths) -> None:
        key_file, filekey_file = (paths.keys / path.lstrip("/") for path in (KEY_FILE, FILEKEY_FILE))
        write_keys(key_file, filekey_file, change(read_keys(key_file, filekey_file)))

    return damage


def other_filekey(paths: ScratchPaths) -> None:
    (paths.keys / FILEKEY_FILE.lstrip("/")).write_text("ab" * 64 + "\n")


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (keys_changed(lambda lines: lines[:2]), "the restored key 3 is missing or wrong"),
        (keys_changed(lambda lines: [lines[0], lines[2]]), "the restored key 2 is missing or wrong"),
        (keys_changed(lambda lines: [*lines[:2], "3;" + "ab" * 32]), "the restored key 3 is missing or wrong"),
        (keys_changed(lambda lines: lines[1:]), "do not open the database"),
        (keys_changed(lambda lines: ["1;" + "cd" * 32, *lines[1:]]), "do not open the database"),
        (other_filekey, "do not open the database"),
    ],
)
def test_bad_keys_are_reported_by_the_key_check_alone(demo: Fixture, damage: Damage, found: str) -> None:
    with demo.damaged(damage):
        coherence, keys = judge(demo)
    assert keys.outcome is Outcome.FAILED, keys.found
    assert found in keys.found
    assert coherence.outcome is Outcome.COULD_NOT_RUN, coherence.found


def test_a_file_missing_from_the_keys_archive_is_named(demo: Fixture) -> None:
    key = demo.restored.paths.keys / CRM.lstrip("/")
    text = key.read_bytes()
    key.unlink()
    try:
        keys = Keys().run(demo.restored)
    finally:
        key.write_bytes(text)
    assert keys.outcome is Outcome.FAILED
    assert keys.found == f"the keys archive lacks 1 files: {CRM}"


@pytest.mark.parametrize(
    ("path", "change", "found"),
    [
        (CRM, lambda text: re.sub(r"'APP_ENC_KEY', '.*'", "'APP_ENC_KEY', '" + "0" * 32 + "'", text), "not open it"),
        (CRM, lambda text: text.replace("APP_ENC_KEY", "APP_SOMETHING"), "defines no encryption key"),
        (CRM, lambda text: text.replace("define('APP_ENC_KEY'", "define('APP_ENC_KEY"), "a syntax error in /srv/crm"),
        (BLOG, lambda text: re.sub(r"define\('NONCE_SALT'.*\n", "", text), "1 of WordPress' 8 keys and salts"),
        (
            BLOG,
            lambda text: re.sub(r"'AUTH_KEY', '.*'", "'AUTH_KEY', 'put your unique phrase here'", text),
            "are not set: AUTH_KEY",
        ),
    ],
)
def test_keys_of_applications_are_tried(demo: Fixture, path: str, change: Callable[[str], str], found: str) -> None:
    with demo.changed(path, change):
        keys = Keys().run(demo.restored)
    assert keys.outcome is Outcome.FAILED, keys.found
    assert found in keys.found


def test_salts_that_wordpress_keeps_in_the_database_count(demo: Fixture) -> None:
    demo.server.query("INSERT INTO wordpress.wp7_options (option_name, option_value) VALUES ('nonce_salt', 'x')")
    try:
        with demo.changed(BLOG, lambda text: re.sub(r"define\('NONCE_SALT'.*\n", "", text)):
            keys = Keys().run(demo.restored)
    finally:
        demo.server.query("DELETE FROM wordpress.wp7_options WHERE option_name = 'nonce_salt'")
    assert keys.outcome is Outcome.PASSED, keys.found


def test_a_configuration_that_does_not_load_leaves_the_salts_unjudged(demo: Fixture) -> None:
    with demo.changed(BLOG, lambda text: text.replace("<?php", "<?php (")):
        assert Keys().run(demo.restored).outcome is Outcome.COULD_NOT_RUN


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (IntegrityError("the backup says to_lsn = 7, its manifest 8"), Outcome.FAILED),
        (AuthError("the restored key file does not open the database"), Outcome.COULD_NOT_RUN),
        (OpsError("mariadb-backup is too old"), Outcome.COULD_NOT_RUN),
        (IntegrityError("write: No space left on device"), Outcome.COULD_NOT_RUN),
    ],
)
def test_a_prepare_that_failed_is_judged_by_its_reason(demo: Fixture, error: OpsError, outcome: Outcome) -> None:
    before = demo.restored.prepared
    demo.restored.prepared = Attempt(None, error, 0.0)
    try:
        assert Coherence().run(demo.restored).outcome is outcome
        demo.restored.prepared = Attempt(None, CouldNotRunError("an archive is not open"), 0.0)
        with pytest.raises(CouldNotRunError):
            Coherence().run(demo.restored)
    finally:
        demo.restored.prepared = before


def test_names_that_need_quoting_are_checked(demo: Fixture) -> None:
    names = ["we`ird 100%", "größe", "a.b/c"]
    before = demo.restored.manifest
    for name in names:
        quoted = name.replace("`", "``").replace("%", "%%")
        demo.server.query(f"CREATE TABLE crm.`{quoted}` (a INT)")
    tables = [before.database.tables[0].model_copy(update={"database": "crm", "name": name}) for name in names]
    table = next(table for table in before.database.tables if table.kind == "table")
    tables = [table.model_copy(update={"database": "crm", "name": name}) for name in names]
    database = before.database.model_copy(update={"tables": (*before.database.tables, *tables)})
    demo.restored.manifest = before.model_copy(update={"database": database})
    try:
        result = Coherence().run(demo.restored)
    finally:
        demo.restored.manifest = before
        for name in names:
            demo.server.query("DROP TABLE crm.`" + name.replace("`", "``").replace("%", "%%") + "`")
    assert result.outcome is Outcome.PASSED, result.found
    assert Path(demo.tree).is_dir()
