"""Probes of a vault: each passes on a fresh one, and fails when its subject is changed."""

import json
from importlib.resources import files

import pytest

from opsctl.core.probe import Probe
from opsctl.core.result import Outcome
from opsctl.core.runner import LocalRunner
from tests.contracts.probe import ProbeContract
from tests.support.mariadb import Server
from vault import definitions
from vault.context import Vault
from vault.probes import probes

NAMES = ("vault.tables", "vault.triggers", "vault.definers", "vault.grants")


class TestContract(ProbeContract):
    """Each probe is a Probe."""

    @pytest.fixture(params=NAMES)
    def probe(self, request: pytest.FixtureRequest, vault: Vault) -> Probe:
        return named(vault, request.param)


def named(vault: Vault, name: str) -> Probe:
    return next(probe for probe in probes(vault) if probe.id == name)


def test_the_shipped_digests_are_those_of_a_fresh_vault(vault: Vault) -> None:
    fresh = {
        "tables": definitions.tables(LocalRunner(), vault),
        "triggers": definitions.triggers(LocalRunner(), vault),
    }
    shipped = json.loads(files("vault.schema").joinpath("digests.json").read_text())
    assert shipped == fresh, f"write this to vault/schema/digests.json:\n{json.dumps(fresh, indent=1)}"


@pytest.mark.parametrize("name", NAMES)
def test_a_fresh_vault_passes(vault: Vault, name: str) -> None:
    result = named(vault, name).run(LocalRunner())
    assert result.outcome is Outcome.PASSED, result.found


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("vault.tables", "ALTER TABLE audit ADD COLUMN x INT DEFAULT 1", "audit is not as it was made"),
        ("vault.tables", "ALTER TABLE audit PARTITION BY KEY (seq) PARTITIONS 4", "audit is not as it was made"),
        ("vault.tables", "DROP TABLE audit_log", "audit_log is missing"),
        ("vault.tables", "CREATE TABLE other (id INT)", "other is not part of the vault"),
        ("vault.tables", "ALTER TABLE messages DROP INDEX once, ADD KEY once (digest)", "messages is not"),
        ("vault.triggers", "DROP TRIGGER audit_delete", "audit_delete is missing"),
        (
            "vault.triggers",
            "CREATE OR REPLACE TRIGGER audit_delete BEFORE DELETE ON audit FOR EACH ROW SET @x = 1",
            "audit_delete is not as it was made",
        ),
        ("vault.triggers", "CREATE TRIGGER spy AFTER INSERT ON audit FOR EACH ROW SET @x = 1", "spy is not part"),
        (
            "vault.definers",
            "CREATE TRIGGER spy AFTER INSERT ON audit FOR EACH ROW SET @x = 1",
            "spy belongs to root@localhost",
        ),
        ("vault.grants", "GRANT UPDATE ON audit TO {app}@localhost", "{app} has UPDATE on audit"),
        ("vault.grants", "GRANT INSERT ON audit TO {app}@localhost", "{app} has INSERT on audit"),
        ("vault.grants", "GRANT SUPER ON *.* TO {app}@localhost", "{app} has SUPER on *.*"),
        ("vault.grants", "GRANT DELETE ON {db}.* TO {app}@localhost", "{app} has DELETE on {db}.*"),
        ("vault.grants", "REVOKE SELECT ON audit FROM {app}@localhost", "{app} lacks SELECT on audit"),
        ("vault.grants", "GRANT UPDATE ON audit TO PUBLIC", "PUBLIC@ has UPDATE on audit"),
        ("vault.grants", "GRANT SELECT ON {db}.messages TO {app}_x@localhost IDENTIFIED BY 'x'", "SELECT on messages"),
        ("vault.grants", "GRANT SELECT ON {db}.* TO {app}_x@'%' IDENTIFIED BY 'x'", "_x@% has SELECT on {db}.*"),
        ("vault.grants", "GRANT SELECT ON audit TO {app}@'%' IDENTIFIED BY 'x'", "{app}@% has SELECT on audit"),
    ],
)  # fmt: skip
def test_what_was_changed_is_found(vault: Vault, server: Server, name: str, change: str, said: str) -> None:
    words = {"app": vault.settings.app_user, "db": vault.database}
    server.sql(f"USE {vault.database}", change.format(**words))
    result = named(vault, name).run(LocalRunner())
    if "PUBLIC" in change:
        server.sql(f"REVOKE UPDATE ON {vault.database}.audit FROM PUBLIC")
    assert result.outcome is Outcome.FAILED
    assert said.format(**words) in result.found
    assert result.hint


def test_an_owner_that_can_log_in_is_found(vault: Vault, server: Server) -> None:
    server.sql("ALTER USER opsctl_vault@localhost ACCOUNT UNLOCK")
    result = named(vault, "vault.definers").run(LocalRunner())
    server.sql("ALTER USER opsctl_vault@localhost ACCOUNT LOCK")
    assert result.outcome is Outcome.FAILED
    assert "not locked" in result.found


def test_a_role_is_a_privilege(vault: Vault, server: Server) -> None:
    server.sql("CREATE ROLE wide", f"GRANT wide TO {vault.settings.app_user}@localhost")
    result = named(vault, "vault.grants").run(LocalRunner())
    server.sql("DROP ROLE wide")
    assert f"{vault.settings.app_user} has ROLE on wide" in result.found


def test_a_server_that_is_not_there_could_not_be_looked_at(vault: Vault) -> None:
    away = Vault(vault.socket.with_name("nothing.sock"), vault.settings)
    assert {probe.run(LocalRunner()).outcome for probe in probes(away)} == {Outcome.COULD_NOT_RUN}
