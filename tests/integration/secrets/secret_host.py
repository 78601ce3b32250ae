"""A customer's host, set up by `opsctl init`, of which every secret is known."""

import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pyrage
from pydantic import SecretStr

from opsctl.core.ledger import SqliteLedger
from opsctl.core.signing import create_key
from opsctl.deploy.inventory.inventory import load_inventory
from opsctl.overview.demo.crm import KNOWN_VALUE
from opsctl.overview.demo.host_tree import BLOG_CONFIG
from opsctl.overview.demo.stack import DemoStack
from tests.integration.secrets.sentinels import Sentinels, private_bytes

ROLES = ("app", "importer", "reader", "eraser")
CRM_CONFIG = "/srv/crm/application/config/app-config.php"
_DEFINED = re.compile(r"define\('(\w*(?:PASSWORD|KEY|SALT)\w*)', '((?:[^'\\]|\\.)*)'\);")


def fresh() -> str:
    """A new secret that is told from everything else at a glance."""
    return f"SENTINEL{secrets.token_hex(12)}"


class SecretHost:
    """The host: `directory` has opsctl's files and the other settings files that commands fail with."""

    def __init__(self, directory: Path, stack: DemoStack) -> None:
        self.directory = directory
        self.stack = stack
        self.sentinels = Sentinels()
        self.config = directory / "opsctl.toml"

    def plant(self, name: str, text: str = "{}\n") -> Path:
        """A file with a new secret in it, in place of `{}`; readable by its owner only."""
        secret = fresh()
        self.sentinels.add(name, secret)
        file = self.directory / "planted" / name.replace(" ", "-")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace("{}", secret))
        file.chmod(0o600)
        return file

    def init_words(self) -> tuple[str, ...]:
        """The words of `opsctl init` for this host."""
        below = self.directory
        return (
            *("init", "--config", str(self.config), "--stack", "demo", "--root", str(self.stack.root)),
            *("--place", "all", "--repository", str(below / "repository"), "--state-dir", str(below / "state")),
            *("--lock-dir", str(below / "locks"), "--scratch-dir", str(below)),
        )

    def plant_on_the_host(self) -> None:
        """Secrets of the kinds that the throwaway customer has not."""
        env = self.stack.layout.at("/srv/crm/.env")
        shutil.copy(self.plant("environment file", "SMTP_PASSWORD={}\n"), env)
        env.chmod(0o600)

    def log_every_statement(self) -> None:
        """Let the database write down each statement that it is given."""
        with self.stack.connect() as connection, connection.cursor() as cursor:
            log = self.stack.layout.at("/var/log/mysql/queries.log")
            cursor.execute("SET GLOBAL general_log_file = %s", (str(log),))
            cursor.execute("SET GLOBAL general_log = ON")

    def collect_stack(self, stack: DemoStack) -> None:
        """Take up every secret of a customer."""
        at, name_of = stack.layout.at, stack.layout.directory.name
        for config in (BLOG_CONFIG, CRM_CONFIG):
            for name, value in _DEFINED.findall(at(config).read_text()):
                self.sentinels.add_words(f"{name_of}: {name}", value)
        filekey = at("/etc/mysql/encryption/keyfile.key")
        self.sentinels.add(f"{name_of}: filekey of MariaDB", filekey.read_text().strip())
        for line in _decrypted(at("/etc/mysql/encryption/keyfile.enc"), filekey).split():
            number, _, key = line.partition(";")
            self.sentinels.add(f"{name_of}: MariaDB's key {number}", key)
            self.sentinels.add(f"{name_of}: MariaDB's key {number}", bytes.fromhex(key))
        for key_file in at("/etc/letsencrypt/archive").glob("*/privkey1.pem"):
            self.sentinels.add(f"{name_of}: TLS key of {key_file.parent.name}", private_bytes(key_file))
        self.sentinels.add(f"{name_of}: password of root", stack.layout.admin_password.read_text())
        self.sentinels.add("bank account of a lead", KNOWN_VALUE)

    def collect_machine(self, directory: Path) -> None:
        """Take up every secret that `opsctl init` or `opsctl demo` has made in a directory."""
        for name in ("identity.txt", "keys-identity.txt"):
            secret = re.findall(r"AGE-SECRET-KEY-\w+", (directory / name).read_text())
            assert len(secret) == 1
            self.sentinels.add(f"{directory.name}: {name}", secret[0])
        self.sentinels.add(f"{directory.name}: signing key", private_bytes(directory / "signing_key"))
        for file in directory.glob("secrets/*.password"):
            self.sentinels.add(f"{directory.name}: {file.name}", file.read_text().strip())

    def add_vault(self) -> None:
        """Settings of a vault, each of its accounts with a password."""
        files = {role: self.plant(f"vault password of {role}") for role in ROLES}
        lines = [f'{role}_password_file = "{file}"' for role, file in files.items()]
        lines += [f'admin_password_file = "{self.stack.layout.admin_password}"']
        lines += [f'media_dir = "{self.directory / "media"}"']
        self.config.write_text(self.config.read_text() + "\n[vault]\n" + "\n".join(lines) + "\n")

    def add_repository(self) -> None:
        """Another repository, which receives copies."""
        lines = f'\n[[repositories]]\nname = "copies"\npath = "{self.directory / "copies"}"\n'
        self.config.write_text(self.config.read_text() + lines)

    def add_anomalies(self) -> None:
        """A rule that always finds something. What is measured does not depend on this machine's package lists."""
        rule = (
            *('id = "always"', 'question = "Is there a disk?"', 'severity = "info"', 'kind = "threshold"'),
            *('metric = "host.disk_share"', "params = { above = -1.0 }", 'reason = "There is."', 'act = "Nothing."'),
        )
        lines = ("", "[anomalies]", "packages = false", "", "[[rules]]", *rule, "")
        self.config.write_text(self.config.read_text() + "\n".join(lines))
        days = (f"2026-{month:02}-{day:02},{day % 7}" for month in range(1, 5) for day in range(1, 29))
        (self.directory / "series.csv").write_text("\n".join(("day,cost", *days)) + "\n")

    def add_health(self) -> None:
        """An account that health asks the database by, and a channel whose address is a secret and leads nowhere."""
        lines = ["", "[health]", 'database_user = "root"']
        lines += [f'database_password_file = "{self.stack.layout.admin_password}"']
        address = self.plant("address of a channel", "json://somebody:{}@127.0.0.1:9/\n")
        lines += ["", "[[channels]]", 'name = "nobody"', f'url_file = "{address}"', ""]
        self.config.write_text(self.config.read_text() + "\n".join(lines))

    def finding(self) -> str:
        """The id of the first finding that there was, or of none."""
        ledger = SqliteLedger(self.directory / "state" / "ledger.sqlite")
        found = next(ledger.query("finding"), None)
        return "00000000" if found is None else str(found.record().body.model_dump()["id"])

    def write_inventory(self) -> None:
        """A customer's inventory, with a host that nobody answers on, the key that would open it, and a page for it."""
        (self.directory / "page/public").mkdir(parents=True)
        (self.directory / "page/public/index.html").write_text("hello")
        key = self.directory / "ops_key"
        create_key(key, "ops")
        self.sentinels.add("key of the operations account", private_bytes(key))
        public = key.with_suffix(".pub").read_text().strip()
        (self.directory / "inventory.toml").write_text(f"""[stack]
name = "acme"
region = "here"
residency = "EU"
[contacts]
security = "mailto:security@acme.example"
security_expires = "2027-06-30T00:00:00Z"
[access]
keys = ["{public}"]
[[hosts]]
name = "web1"
address = "127.0.0.1"
port = 9
host_key = "{public}"
key_file = "{key}"
[[sites]]
name = "blog"
kind = "wordpress"
host = "web1"
domains = ["blog.example"]
files = {{ ".env" = "blog-env" }}
[[sites]]
name = "page"
kind = "static"
host = "web1"
domains = ["www.acme.example"]
[secrets]
recipients = ["{self.add_deploy()}"]
""")
        found = load_inventory(self.directory / "inventory.toml", ())
        value = self.plant("secret of an inventory").read_text().strip()
        found.secrets_file.set("blog-env", SecretStr(value))

    def add_deploy(self) -> str:
        """Settings of deployments, with an identity that opens the secrets of inventories; its recipient."""
        identity = pyrage.x25519.Identity.generate()
        file = self.directory / "planted" / "deploy-identity.txt"
        file.write_text(f"{identity}\n")
        file.chmod(0o600)
        self.sentinels.add("identity of deployments", str(identity))
        self.config.write_text(self.config.read_text() + f'\n[deploy]\nidentity_files = ["{file}"]\n')
        return str(identity.to_public())

    def run_accounts_sql(self) -> None:
        """Run what `opsctl init` wrote, as the database's root."""
        text = (self.directory / "accounts.sql").read_text()
        statements = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
        with self.stack.connect() as connection, connection.cursor() as cursor:
            for statement in statements.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)

    def variant(self, name: str, change: Callable[[str], str]) -> Path:
        """Other settings beside the right ones, by changing their text, which must differ then."""
        text = self.config.read_text()
        changed = change(text)
        assert changed != text, name
        file = self.directory / f"{name}.toml"
        file.write_text(changed)
        return file

    def plain_files(self) -> Iterator[Path]:
        """Everything that opsctl wrote down where a secret has no place, and what the database wrote down of it."""
        for name in ("repository", "copies", "state", "locks", "site-repository", "site-state"):
            found = (self.directory / name).rglob("*")
            yield from (path for path in found if path.is_file() and path.suffix != ".age")
        yield from (path for path in (self.directory / "restored").iterdir() if path.is_file())
        yield from self.stack.layout.at("/var/log/mysql").iterdir()

    def holds_a_secret(self, path: str) -> bool:
        """Whether a file of the customer, or of opsctl itself, holds a secret that is searched for."""
        file = self.stack.layout.at(path)
        file = file if file.exists() else Path(path)
        data = private_bytes(file) if file.read_bytes().startswith(b"-----BEGIN") else file.read_bytes()
        return bool(self.sentinels.found_in(data))


def _decrypted(file: Path, filekey: Path) -> str:
    words = ("openssl", "enc", "-d", "-aes-256-cbc", "-md", "sha1", "-pass", f"file:{filekey}", "-in", str(file))
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
