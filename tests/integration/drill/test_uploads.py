"""Check 6 sees each file that is missing, changed or too many, and each attachment without its file."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from opsctl.core.result import Outcome
from restore_drill.checks.uploads import Uploads
from restore_drill.restored import CouldNotRunError
from restore_drill.scratch import ScratchServer
from tests.support.file_lists import write_list
from tests.support.restored import Fixture

UPLOADS = "/var/lib/wordpress/wp-content/uploads"
CONFIG = "/etc/wordpress/config-blog.example.php"


@pytest.fixture
def picture(demo: Fixture) -> str:
    """One attachment's own file, as a path of the host."""
    rows = server(demo).query(
        "SELECT meta_value AS path FROM wordpress.wp7_postmeta WHERE meta_key = '_wp_attached_file'"
    )
    return f"{UPLOADS}/{rows[0]['path']}"


def server(demo: Fixture) -> ScratchServer:
    assert demo.restored.server is not None
    return demo.restored.server.need()


def test_all_files_and_attachments_are_there(demo: Fixture) -> None:
    result = Uploads().run(demo.restored)
    assert result.outcome is Outcome.PASSED, result.found
    assert {name: result.figures[name] for name in ("uploads", "attachments", "missing", "different", "extra")} == {
        "uploads": 15, "attachments": 2, "missing": 0, "different": 0, "extra": 0,
    }  # fmt: skip


def test_a_missing_upload_is_named(demo: Fixture, picture: str) -> None:
    with demo.without(picture):
        result = Uploads().run(demo.restored)
    assert result.outcome is Outcome.FAILED
    assert f"1 missing: {picture}" in result.found
    assert "14 uploads" in result.found or "9 uploads" in result.found
    assert "1 of 2 attachments have no file" in result.found


def flip_last_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"x")


def to_link(file: Path) -> None:
    file.rename(file.with_name("moved"))
    file.symlink_to("moved")


@pytest.mark.parametrize(
    ("change", "found"),
    [(flip_last_byte, "it has other bytes"), (append, "bytes, not "), (to_link, "it is no file")],
)
def test_another_content_under_the_same_name_is_found(
    demo: Fixture, picture: str, change: Callable[[Path], None], found: str
) -> None:
    file = demo.at(picture)
    before = file.read_bytes()
    change(file)
    try:
        result = Uploads().run(demo.restored)
    finally:
        file.with_name("moved").unlink(missing_ok=True)
        file.unlink()
        file.write_bytes(before)
    assert result.outcome is Outcome.FAILED
    assert found in result.found


def test_a_file_that_no_list_names_is_found(demo: Fixture) -> None:
    extra = demo.at(f"{UPLOADS}/shell.php")
    extra.write_text("<?php")
    try:
        result = Uploads().run(demo.restored)
    finally:
        extra.unlink()
    assert result.outcome is Outcome.FAILED
    assert f"1 extra: {UPLOADS}/shell.php" in result.found


@pytest.fixture
def never_archived(demo: Fixture, picture: str) -> Iterator[None]:
    """The picture was gone before the backup began: no list names it."""
    manifest = demo.restored.manifest
    lists = demo.restored.paths.lists
    before = {place: place.read_bytes() for place in lists.iterdir()}
    with demo.without(picture):
        sets = [write_list(demo.tree, lists, files, manifest.keys) for files in manifest.files]
        demo.restored.manifest = manifest.model_copy(update={"files": tuple(sets)})
        yield
    for place, text in before.items():
        place.write_bytes(text)
    demo.restored.manifest = manifest


def test_an_attachment_that_was_never_archived_is_found(demo: Fixture, never_archived: None, picture: str) -> None:
    result = Uploads().run(demo.restored)
    assert result.outcome is Outcome.FAILED
    assert result.found.startswith("blog: 1 of 2 attachments have no file in")
    assert result.figures["missing"] == 0


def test_a_link_out_of_the_tree_is_no_file_of_an_attachment(demo: Fixture, picture: str, tmp_path: Path) -> None:
    live = tmp_path / "live.jpg"
    live.write_bytes(demo.at(picture).read_bytes())
    with demo.without(picture):
        demo.at(picture).symlink_to(live)
        result = Uploads().run(demo.restored)
        demo.at(picture).unlink()
    assert "1 of 2 attachments have no file" in result.found


def test_an_edited_list_is_found(demo: Fixture) -> None:
    place = demo.restored.paths.lists / "files-static.list"
    before = place.read_bytes()
    place.write_bytes(before.replace(b'"mode":', b'"mode": '))
    result = Uploads().run(demo.restored)
    place.write_bytes(b"nonsense\n")
    unreadable = Uploads().run(demo.restored)
    place.unlink()
    with pytest.raises(CouldNotRunError):
        Uploads().run(demo.restored)
    place.write_bytes(before)
    assert (result.outcome, unreadable.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert "not the one that the manifest names" in result.found


def test_without_a_valid_configuration_attachments_could_not_be_judged(demo: Fixture) -> None:
    with demo.changed(CONFIG, lambda text: text.replace("'wp7_'", "'other_'")):
        wrong_prefix = Uploads().run(demo.restored)
    with demo.changed(CONFIG, lambda text: text.replace("<?php", "<?php (")):
        syntax_error = Uploads().run(demo.restored)
    assert wrong_prefix.outcome is Outcome.COULD_NOT_RUN, wrong_prefix.found
    assert (wrong_prefix.outcome, syntax_error.outcome) == (Outcome.COULD_NOT_RUN, Outcome.COULD_NOT_RUN)


def test_each_site_of_a_network_has_its_own_directory(demo: Fixture) -> None:
    server(demo).query("CREATE TABLE wordpress.wp7_3_postmeta LIKE wordpress.wp7_postmeta")
    server(demo).query(
        "INSERT INTO wordpress.wp7_3_postmeta (meta_key, meta_value) VALUES ('_wp_attached_file', '2026/a.jpg')"
    )
    try:
        result = Uploads().run(demo.restored)
    finally:
        server(demo).query("DROP TABLE wordpress.wp7_3_postmeta")
    assert "sites/3/2026/a.jpg" in result.found
