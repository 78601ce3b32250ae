"""Keys of Python and CodeIgniter sites are tried on what they encrypted."""

import hashlib
from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from backup.manifest import KnownValueFact, Site
from opsctl.core.result import Outcome, Result
from restore_drill.checks.keys import Keys
from tests.support.restored import Fixture

ENV = "/srv/api/.env"
CI = "/srv/ci/application/config/config.php"
PLAIN = b"account 42"


@pytest.fixture
def key(demo: Fixture) -> Iterator[bytes]:
    """A Python site with a Fernet key, and one value in the database that it encrypted."""
    key = Fernet.generate_key()
    demo.at(ENV).parent.mkdir(parents=True)
    demo.at(ENV).write_text(f"DEBUG=0\nFERNET_KEY='{key.decode()}'\nURL=https://api.example/?q=1==\n")
    demo.server.query("CREATE TABLE crm.tokens (name VARCHAR(20), value BLOB)")
    demo.server.query("INSERT INTO crm.tokens VALUES ('100%%', %s)", (Fernet(key).encrypt(PLAIN),))
    yield key
    demo.server.query("DROP TABLE crm.tokens")
    demo.at(ENV).unlink()
    demo.at(ENV).parent.rmdir()


def judge(demo: Fixture, kind: str, config: str, query: str | None) -> Result:
    """The check's result on a manifest with one site."""
    before = demo.restored.manifest
    known = None if query is None else KnownValueFact(query=query, sha256=hashlib.sha256(PLAIN).hexdigest())
    site = Site.model_validate(
        {
            "name": "api", "kind": kind, "config": config, "code": None, "http_host": None, "uploads": None,
            "known_value": known,
        }
    )  # fmt: skip
    files = before.files[0].model_copy(update={"paths": ("/srv",)})
    demo.restored.manifest = before.model_copy(update={"sites": (site,), "files": (files,)})
    try:
        return Keys().run(demo.restored)
    finally:
        demo.restored.manifest = before


def test_a_fernet_key_opens_its_known_value(demo: Fixture, key: bytes) -> None:
    result = judge(demo, "python", ENV, "SELECT value FROM crm.tokens WHERE name LIKE '100%'")
    assert (result.outcome, result.figures["known_values"]) == (Outcome.PASSED, 1), result.found


def test_another_fernet_key_does_not(demo: Fixture, key: bytes) -> None:
    query = "SELECT value FROM crm.tokens"
    with demo.changed(ENV, lambda text: text.replace(key.decode(), Fernet.generate_key().decode())):
        other = judge(demo, "python", ENV, query)
    with demo.changed(ENV, lambda text: text.replace(key.decode(), "")):
        none = judge(demo, "python", ENV, query)
    assert (other.outcome, none.outcome) == (Outcome.FAILED, Outcome.FAILED)
    assert key.decode() not in other.model_dump_json()


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        ("SELECT value FROM crm.gone", Outcome.COULD_NOT_RUN),
        ("SELECT value FROM crm.tokens WHERE FALSE", Outcome.FAILED),
        ("SELECT name, value FROM crm.tokens", Outcome.FAILED),
        ("SELECT NULL FROM crm.tokens", Outcome.FAILED),
        (None, Outcome.PASSED),
    ],
)
def test_a_query_that_finds_no_value_is_no_pass(demo: Fixture, key: bytes, query: str | None, outcome: Outcome) -> None:
    assert judge(demo, "python", ENV, query).outcome is outcome


def test_codeigniters_own_setting_is_found(demo: Fixture) -> None:
    demo.at(CI).parent.mkdir(parents=True)
    try:
        demo.at(CI).write_text(
            "<?php\ndefined('BASEPATH') OR exit('No direct script access allowed');\n"
            "require_once APPPATH . 'config/keys.php';\n"
        )
        demo.at(CI).with_name("keys.php").write_text("<?php\n$config['encryption_key'] = hex2bin('00ff00ff');\n")
        found = judge(demo, "codeigniter", CI, None)
        demo.at(CI).with_name("keys.php").write_text("<?php\n$config['encryption_key'] = '';\n")
        empty = judge(demo, "codeigniter", CI, None)
    finally:
        demo.at(CI).with_name("keys.php").unlink(missing_ok=True)
        demo.at(CI).unlink()
        for parent in list(demo.at(CI).parents)[:3]:
            parent.rmdir()
    assert (found.outcome, empty.outcome) == (Outcome.PASSED, Outcome.FAILED)
    assert empty.found == "api: its configuration defines no encryption key"
