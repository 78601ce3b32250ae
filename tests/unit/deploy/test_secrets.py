"""The secrets beside an inventory: open in memory only, to those it names."""

import base64
from pathlib import Path

import pyrage
import pytest
from pydantic import SecretStr

from opsctl.core.canonical import canonical
from opsctl.core.errors import AuthError, IntegrityError, OpsError, SettingsError
from opsctl.deploy.desired.whole import desired
from opsctl.deploy.inventory.inventory import Inventory, load_inventory
from opsctl.deploy.plan import Plan, make_plan, parse_plan
from opsctl.deploy.reach import target_of
from opsctl.deploy.run import with_secrets
from opsctl.deploy.secret_uses import uses_of
from opsctl.deploy.secrets import SecretsFile, value_of
from tests.unit.deploy.test_inventory import load
from tests.unit.deploy.test_opsctl_on_hosts import OFFSITE, described

VALUES = ("plain", 'a"b\\c', "two\nlines\n", "tab\tbell\x07del\x7f", "ümläut ☃", "'''", "[table]\nx = 1")


INVENTORY = """
[stack]
name = "acme"
region = "here"
residency = "EU"
[contacts]
security = "mailto:security@acme.example"
security_expires = "2027-06-30T00:00:00Z"
[access]
keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"]
[[hosts]]
name = "web1"
address = "203.0.113.5"
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"
key_file = "/etc/opsctl/ops_key"
[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.acme.example"]
files = { ".env" = "blog-env" }
[secrets]
recipients = ["RECIPIENT"]
"""
ENV = "file:/srv/blog/shared/.env"


def identity(directory: Path, name: str = "identity") -> tuple[Path, str]:
    made = pyrage.x25519.Identity.generate()
    path = directory / name
    path.write_text(f"# created: today\n{made}\n")
    return path, str(made.to_public())


@pytest.fixture
def secrets(tmp_path: Path) -> SecretsFile:
    path, recipient = identity(tmp_path)
    return SecretsFile(tmp_path / "acme.toml", (recipient,), (path,))


def test_what_was_set_is_there_as_it_was(secrets: SecretsFile) -> None:
    for number, value in enumerate(VALUES):
        assert secrets.set(f"s{number}", SecretStr(value))
    for number, value in enumerate(VALUES):
        assert secrets.get(f"s{number}").get_secret_value() == value
    assert secrets.names() == [f"s{number}" for number in range(len(VALUES))]
    assert not secrets.set("s0", SecretStr("another"))
    assert secrets.get("s0").get_secret_value() == "another"
    secrets.remove("s1")
    assert "s1" not in secrets.names()


def test_the_file_lies_beside_the_inventory_and_says_nothing(secrets: SecretsFile) -> None:
    secrets.set("blog-env", SecretStr("hush"))
    assert secrets.path.name == "acme.secrets.age"
    assert secrets.path.stat().st_mode & 0o777 == 0o600
    assert secrets.path.read_bytes().startswith(b"age-encryption.org/v1")
    assert [path.name for path in secrets.path.parent.iterdir() if b"hush" in path.read_bytes()] == []


def test_one_that_is_not_there_is_named_with_the_command_that_sets_it(secrets: SecretsFile) -> None:
    with pytest.raises(SettingsError, match="no secret 'blog-env'") as caught:
        secrets.get("blog-env")
    assert f"opsctl deploy secret set {secrets.inventory} blog-env" in str(caught.value.hint)
    with pytest.raises(SettingsError):
        secrets.remove("blog-env")


def test_only_the_right_identity_opens_them(secrets: SecretsFile, tmp_path: Path) -> None:
    secrets.set("a", SecretStr("hush"))
    other, _ = identity(tmp_path, "other")
    for files, said in (((other,), "no identity of this machine opens"), ((), "no identity is named")):
        with pytest.raises(AuthError, match=said):
            SecretsFile(secrets.inventory, secrets.recipients, files).names()
    other.write_text("hush hush")
    with pytest.raises(AuthError, match="no age identity") as caught:
        SecretsFile(secrets.inventory, secrets.recipients, (other,)).names()
    assert "hush" not in str(caught.value)


def test_everybody_whom_the_inventory_names_opens_them_from_the_next_change_on(
    secrets: SecretsFile, tmp_path: Path
) -> None:
    secrets.set("a", SecretStr("hush"))
    path, recipient = identity(tmp_path, "other")
    SecretsFile(secrets.inventory, (*secrets.recipients, recipient), secrets.identity_files).set("b", SecretStr("x"))
    assert SecretsFile(secrets.inventory, (), (path,)).names() == ["a", "b"]


def test_nothing_is_encrypted_for_nobody(secrets: SecretsFile) -> None:
    for recipients, said in (((), "names nobody"), (("age1" + "q" * 58,), "is none")):
        with pytest.raises(SettingsError, match=said):
            SecretsFile(secrets.inventory, recipients, secrets.identity_files).set("a", SecretStr("hush"))
    assert not secrets.path.exists()


def test_what_was_damaged_is_said_so_without_its_words(secrets: SecretsFile) -> None:
    secrets.set("a", SecretStr("hush"))
    whole = secrets.path.read_bytes()
    recipient = pyrage.x25519.Recipient.from_str(secrets.recipients[0])
    for data in (whole[:-1] + bytes([whole[-1] ^ 1]), b"junk", *(
        pyrage.encrypt(text, [recipient]) for text in (b"hush", b"a = 1", b"\xff")
    )):  # fmt: skip
        secrets.path.write_bytes(data)
        with pytest.raises(IntegrityError) as caught:
            secrets.names()
        assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "kept"), [(b"a\n", "a"), (b"a\r\n", "a"), (b"a", "a"), (b"a\nb\n", "a\nb\n"), (b" a ", " a ")]
)
def test_one_line_loses_its_end_and_several_do_not(sent: bytes, kept: str) -> None:
    assert value_of(sent).get_secret_value() == kept


@pytest.mark.parametrize("sent", [b"", b"\n", b"\xff"])
def test_nothing_and_what_is_no_text_is_no_secret(sent: bytes) -> None:
    with pytest.raises(SettingsError):
        value_of(sent)


class TestPlans:
    """What a plan knows of secrets: enough to refuse others, and not enough to lose any."""

    @pytest.fixture
    def inventory(self, tmp_path: Path) -> Inventory:
        path, recipient = identity(tmp_path)
        (tmp_path / "acme.toml").write_text(INVENTORY.replace("RECIPIENT", recipient))
        return load_inventory(tmp_path / "acme.toml", (path,))

    def plan(self, inventory: Inventory) -> Plan:
        what = desired(inventory, inventory.hosts[0])
        seen = {"states": {}, "fingerprint": "", "fingerprints": {}}
        target = target_of(inventory, inventory.hosts[0], "root")
        return make_plan(what, seen, stack="acme", target=target, by="me", inventory=inventory.origin)

    def test_a_site_without_its_secret_cannot_be_planned(self, inventory: Inventory) -> None:
        with pytest.raises(SettingsError, match="no secret 'blog-env'"):
            self.plan(inventory)

    def test_a_kept_plan_and_what_is_shown_of_it_have_no_secret(self, inventory: Inventory) -> None:
        inventory.secrets_file.set("blog-env", SecretStr("hush"))
        plan = self.plan(inventory)
        kept = parse_plan(canonical(plan.sealed()), "it")
        for form in (b"hush", base64.b64encode(b"hush")):
            assert form not in canonical(kept)
        [shown] = [change for change in kept.changes if change.what == ENV.removeprefix("file:")]
        assert shown.diff == ("+(secret)",)
        assert kept.digest == plan.digest

    def test_a_kept_plan_takes_its_secrets_from_beside_the_inventory(self, inventory: Inventory) -> None:
        inventory.secrets_file.set("blog-env", SecretStr("hush"))
        plan = self.plan(inventory)
        kept = parse_plan(canonical(plan.sealed()), "it")
        opened = with_secrets(kept, inventory.secrets_file.identity_files)
        assert opened == plan
        assert {each.key: each for each in opened.desired.resources}[ENV].data == b"hush"  # type: ignore[union-attr]

    def test_a_secret_that_is_another_one_by_now_is_refused(self, inventory: Inventory) -> None:
        inventory.secrets_file.set("blog-env", SecretStr("hush"))
        kept = self.plan(inventory).sealed()
        inventory.secrets_file.set("blog-env", SecretStr("other"))
        with pytest.raises(OpsError, match="another one than the plan has seen") as caught:
            with_secrets(kept, inventory.secrets_file.identity_files)
        assert "hush" not in str(caught.value)

    def test_all_that_is_asked_for_is_known_with_what_asks(self, inventory: Inventory) -> None:
        assert uses_of(inventory, ()) == {"blog-env": ["blog: .env"]}
        inventory.secrets_file.set("blog-env", SecretStr("hush"))
        assert uses_of(inventory, ("blog-env",)) == {"blog-env": ["blog: .env"]}

    def test_what_a_host_is_opened_with_is_asked_for_by_the_host(self, tmp_path: Path) -> None:
        found = load(tmp_path, described(tmp_path, OFFSITE + 'secret = "offsite-key"\n'))
        assert uses_of(found, ()) == {"offsite-key": ["web1"]}

    def test_a_name_with_a_way_out_of_the_site_is_refused(self, inventory: Inventory) -> None:
        origin = inventory.secrets_file.inventory
        for name in ("../x", "..", "a/b", "", "."):
            origin.write_text(INVENTORY.replace('".env"', f'"{name}"').replace("RECIPIENT", "age1" + "q" * 58))
            with pytest.raises(SettingsError, match="files"):
                load_inventory(origin, ())
