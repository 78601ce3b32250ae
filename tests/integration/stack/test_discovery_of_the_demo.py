"""Discovery finds of the throwaway customer, laid out as a Debian host, exactly what its settings say."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

from opsctl.overview.demo import size
from opsctl.overview.demo.stack import DemoStack
from opsctl.settings import load_settings
from opsctl.stack.discovery import discover


@pytest.fixture(scope="module")
def made() -> Iterator[DemoStack]:
    stack = DemoStack.create(Path(tempfile.mkdtemp(prefix="o-")), size=size.SMALL, progress=lambda _: None)
    yield stack
    stack.remove()


def test_discovery_finds_what_the_settings_say(made: DemoStack, tmp_path: Path) -> None:
    file = tmp_path / "opsctl.toml"
    trust = {"signer": "host@demo", "signing_key": "/k", "allowed_signers": "/a"}
    file.write_text(made.settings_toml({"trust": trust}))
    settings = load_settings(file).settings
    found = discover(made.root)
    # A value that proves the key is known to people only.
    assert [site.section() for site in found.sites] == [
        site.model_copy(update={"known_value": None}) for site in settings.sites
    ]
    assert found.nginx is not None
    assert found.nginx.section() == settings.nginx
    assert found.mariadb is not None
    database = settings.require_database()
    section = found.mariadb.section(found.root)
    assert (section.socket, section.config_paths) == (database.socket, database.config_paths)
    assert found.not_understood == ()


def test_the_running_server_and_its_option_files_agree(made: DemoStack) -> None:
    with made.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW GLOBAL VARIABLES")
        variables = dict(cursor.fetchall())
    asked, read = discover(made.root, server=variables), discover(made.root)
    assert asked == read
    assert asked.mariadb is not None
    assert [made.layout.at(str(file)).is_file() for file in asked.mariadb.key_files] == [True, True]
    assert asked.mariadb.log_bin


def test_what_discovery_understood_of_the_sites_logs_in(made: DemoStack) -> None:
    logins = {site.name: site.login for site in discover(made.root).sites if site.login}
    assert logins.keys() == {"blog", "crm"}
    for login in logins.values():
        with (
            pymysql.connect(
                unix_socket=str(made.socket),
                user=login.user,
                password=login.password.get_secret_value(),
                database=login.database,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SHOW TABLES LIKE '{login.prefix}%'")
            assert cursor.fetchall()


def test_discovery_changes_nothing(made: DemoStack) -> None:
    def state() -> dict[Path, int]:
        files = [path for top in ("etc", "srv", "usr") for path in (made.root / top).rglob("*")]
        return {path: path.lstat().st_mtime_ns for path in files}

    before = state()
    discover(made.root)
    assert state() == before
