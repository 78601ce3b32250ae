"""`opsctl init` on a customer's host."""

from pathlib import Path

import pymysql
import pyrage
import pytest

from opsctl.overview.demo.stack import DemoStack
from opsctl.settings import load_settings
from tests.integration.cli.conftest import Machine, init_words, run_accounts_sql


@pytest.fixture
def fresh(directory: Path, capsys: pytest.CaptureFixture[str]) -> Machine:
    return Machine(directory, capsys)


def test_it_finds_the_database_the_web_server_and_the_sites(demo: DemoStack, fresh: Machine) -> None:
    assert fresh.opsctl(*init_words(fresh, demo))[0] == 0
    settings = load_settings(fresh.config).settings
    assert settings.require_database().socket == demo.socket
    assert settings.nginx.paths == (Path("/etc/nginx"), Path("/etc/letsencrypt"))
    sites = {site.name: site for site in settings.sites}
    assert {name: site.kind for name, site in sites.items()} == {
        "blog": "wordpress",
        "crm": "codeigniter",
        "static": "static",
    }
    blog = sites["blog"]
    assert blog.config == Path("/etc/wordpress/config-blog.example.php")
    assert blog.uploads == Path("/var/lib/wordpress/wp-content/uploads")
    assert blog.secret_files == (blog.config,)
    assert Path("/srv/crm/application/config/app-config.php") in sites["crm"].secret_files


def test_afterwards_doctor_finds_nothing_to_complain_about(demo: DemoStack, customer: Machine) -> None:
    code, document = customer.json("doctor")
    assert [result for result in document["results"] if result["outcome"] != "passed"] == []
    assert code == 0


@pytest.mark.parametrize("account", ["backup", "ship"])
def test_the_accounts_write_nothing_but_the_heartbeat_and_read_no_row(
    demo: DemoStack, customer: Machine, account: str
) -> None:
    password = (customer.directory / "secrets" / f"{account}.password").read_text().strip()
    connection = pymysql.connect(unix_socket=str(demo.socket), user=f"opsctl_{account}", password=password)
    with connection, connection.cursor() as cursor:
        for statement in (
            "SELECT * FROM crm.tblleads",
            "INSERT INTO crm.tblleads (id) VALUES (4711)",
            "UPDATE crm.tblleads SET id = 4711",
            "DELETE FROM opsctl.heartbeat",
            "CREATE TABLE opsctl.more (i INT)",
            "DROP TABLE opsctl.heartbeat",
            "CREATE DATABASE more",
            "SET GLOBAL sync_binlog = 1",
            "CREATE USER more@localhost",
        ):
            with pytest.raises(pymysql.MySQLError, match=r"denied|Access"):
                cursor.execute(statement)


def test_secrets_are_private_from_the_start_and_nowhere_else(demo: DemoStack, fresh: Machine) -> None:
    _, out, err = fresh.opsctl(*init_words(fresh, demo))
    private = [
        *(fresh.directory / "secrets").iterdir(),
        *(fresh.directory / name for name in ("signing_key", "identity.txt", "keys-identity.txt", "accounts.sql")),
    ]
    assert [path for path in private if path.stat().st_mode & 0o077] == []
    others = [out, err, fresh.config.read_text(), (fresh.directory / "accounts.sql").read_text()]
    for secret in (fresh.directory / "secrets").iterdir():
        assert not any(secret.read_text().strip() in text for text in others)
    assert not any("AGE-SECRET-KEY-1" in text for text in others)


def test_running_it_again_changes_nothing_that_a_person_edited(demo: DemoStack, fresh: Machine) -> None:
    fresh.opsctl(*init_words(fresh, demo))
    edited = fresh.config.read_text() + "\n# a note of ours\n"
    fresh.config.write_text(edited)
    before = {path: path.read_bytes() for path in fresh.directory.rglob("*") if path.is_file()}
    code, document = fresh.json(*init_words(fresh, demo))
    assert code == 0
    assert {file["state"] for file in document["files"]} == {"kept"}
    assert {path: path.read_bytes() for path in fresh.directory.rglob("*") if path.is_file()} == before


def test_running_it_again_makes_what_is_missing(demo: DemoStack, fresh: Machine) -> None:
    fresh.opsctl(*init_words(fresh, demo))
    (fresh.directory / "accounts.sql").unlink()
    _, document = fresh.json(*init_words(fresh, demo))
    made = [file["path"] for file in document["files"] if file["state"] == "made"]
    assert made == [str(fresh.directory / "accounts.sql")]
    run_accounts_sql(fresh, demo)
    assert fresh.opsctl("doctor")[0] == 0


def test_a_dry_run_makes_nothing(demo: DemoStack, fresh: Machine) -> None:
    code, document = fresh.json(*init_words(fresh, demo), "--dry-run")
    assert code == 0
    assert {file["state"] for file in document["files"]} == {"would be made"}
    assert list(fresh.directory.iterdir()) == []


def test_given_recipients_make_no_identity(demo: DemoStack, fresh: Machine) -> None:
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    words = [word if word != "all" else "host" for word in init_words(fresh, demo)]
    assert fresh.opsctl(*words, "--recipient", recipient, "--keys-recipient", recipient)[0] == 0
    assert load_settings(fresh.config).settings.require_backup().recipients == (recipient,)
    assert not (fresh.directory / "identity.txt").exists()


def test_a_new_identity_on_a_host_is_to_be_taken_away(demo: DemoStack, fresh: Machine) -> None:
    words = [word if word != "all" else "host" for word in init_words(fresh, demo)]
    _, out, _ = fresh.opsctl(*words)
    assert "take the identities away" in out
    run_accounts_sql(fresh, demo)
    code, out, _ = fresh.opsctl("doctor")
    assert code == 4
    assert "an age identity lies in" in out
    for name in ("identity.txt", "keys-identity.txt"):
        (fresh.directory / name).unlink()
    assert fresh.opsctl("doctor")[0] == 0


def test_what_is_not_understood_is_said(directory: Path, fresh: Machine) -> None:
    root = directory / "root"
    (root / "etc/nginx").mkdir(parents=True)
    (root / "etc/nginx/nginx.conf").write_text(
        "events {}\nhttp { server { server_name api.example; location / { proxy_pass http://127.0.0.1:8000; } }\n"
        "server { server_name gone.example; root /srv/gone; } }\n"
    )
    code, document = fresh.json("init", "--root", str(root), "--repository", str(directory / "repository"))
    assert code == 0
    said = " ".join(document["not_understood"])
    assert "there are no option files of a MariaDB server" in said
    assert "api.example" in said
    assert "/srv/gone is not there" in said
