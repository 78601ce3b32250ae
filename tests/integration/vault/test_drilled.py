"""A whole drill of a customer who has a vault: the log in the restored backup is the beginning of what was signed."""

import tempfile
from pathlib import Path

import pytest

from opsctl.core.machine import TrustSection
from opsctl.core.progress import Silent
from opsctl.core.result import Outcome
from opsctl.core.signing import Verifier
from opsctl.core.store.directory import DirectoryStore
from opsctl.overview.demo.stack import DemoStack
from restore_drill.drill import run_drill
from tests.support.drilled import make_customer
from vault.accounts import Role
from vault.context import Vault
from vault.migrate import initialise
from vault.settings import VaultSection
from vault.verify.checkpoints import Custody
from vault.verify.drill import AuditChainCheck
from vault.verify.run import Scope, checkpoint, reader

ACCOUNTS = ("admin", "app", "importer", "reader", "eraser")


def write(vault: Vault, *payloads: bytes) -> None:
    with vault.connect(Role.APP) as connection, connection.cursor() as cursor:
        for payload in payloads:
            cursor.execute("INSERT INTO audit (payload) VALUES (_binary %s)", (payload,))


@pytest.mark.timeout(900)
def test_a_drill_holds_the_restored_log_against_its_checkpoints(stopped_demo: DemoStack) -> None:
    with tempfile.TemporaryDirectory(prefix="o-", dir="/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)
        stack = stopped_demo.copy_to(directory / "c")
        stack.start()
        try:
            customer = make_customer(stack, directory / "o")
            vault = _vault(stack, directory)
            trust = customer.host.trust
            custody = Custody("demo", (DirectoryStore(customer.repository),), Verifier(trust.allowed_signers))
            write(vault, b"a", b"b", b"c")
            _sign(vault, custody, trust)
            customer.backup()
            write(vault, b"d")
            customer.ship()
            write(vault, b"e")
            _sign(vault, custody, trust)
            customer.vanish()
        finally:
            stack.kill()
        report = run_drill(customer.drill_host, extra_checks=(AuditChainCheck("vault", custody),))
        (result,) = report.body.extra
        assert (report.body.passed, result.outcome) == (8, Outcome.PASSED), result.found
        assert result.found == "4 rows, the first 3 pinned by a checkpoint; rows that are newer than this backup: 1"


def _vault(stack: DemoStack, directory: Path) -> Vault:
    """A vault beside the customer's databases; their root has a password that only the stack knows."""
    with stack.connect() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE USER vault_admin@localhost IDENTIFIED BY 'x'")
        cursor.execute("GRANT ALL ON *.* TO vault_admin@localhost WITH GRANT OPTION")
    password = directory / "vault.password"
    password.write_text("x")
    files = {f"{role}_password_file": password for role in ACCOUNTS}
    settings = VaultSection.model_validate({"admin_user": "vault_admin", "media_dir": directory / "media", **files})
    vault = Vault(stack.socket, settings)
    initialise(vault)
    return vault


def _sign(vault: Vault, custody: Custody, trust: TrustSection) -> None:
    checkpoint(reader(vault), custody, Scope(), trust, Silent())
