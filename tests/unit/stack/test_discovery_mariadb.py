"""The MariaDB server is found by its option files, read as the server reads them."""

from pathlib import Path

import pytest

from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.mariadb import find_mariadb
from tests.unit.stack.trees import make_tree

KEYS = {"/etc/mysql/encryption/keyfile.enc": "x", "/etc/mysql/encryption/keyfile.key": "x"}
DEBIAN = {
    "/etc/mysql/my.cnf": "link:/etc/alternatives/my.cnf",
    "/etc/alternatives/my.cnf": "link:/etc/mysql/mariadb.cnf",
    "/etc/mysql/mariadb.cnf": """[client-server]
# port = 3306
socket = /run/mysqld/mysqld.sock
!includedir /etc/mysql/conf.d/
!includedir /etc/mysql/mariadb.conf.d/
""",
    "/etc/mysql/conf.d/mysqldump.cnf": "[mysqldump]\nsocket=/decoy.sock\n",
    "/etc/mysql/mariadb.conf.d/50-client.cnf": "[client]\nsocket=/decoy.sock\n[mysqld_safe]\ndatadir=/decoy\n",
    "/etc/mysql/mariadb.conf.d/50-server.cnf": "[server]\n\n[mysqld]\ndatadir = /srv/mysql # moved\nlog-bin\n",
    "/etc/mysql/mariadb.conf.d/60-off.cnf.disabled": "[mysqld]\ndatadir=/decoy\n",
    "/etc/mysql/mariadb.conf.d/README": "[mysqld]\ndatadir=/decoy\n",
}


def test_debians_layout_with_drop_ins_is_read_in_the_servers_order(tmp_path: Path) -> None:
    host = HostFiles(make_tree(tmp_path, DEBIAN))
    found = find_mariadb(host)
    assert found is not None
    assert [file.name for file in found.option_files] == [
        "my.cnf",
        "mysqldump.cnf",
        "50-client.cnf",
        "50-server.cnf",
    ]
    assert (found.socket, found.datadir) == (Path("/run/mysqld/mysqld.sock"), Path("/srv/mysql"))
    assert (found.log_bin, found.key_plugin, found.key_files) == ("", None, ())
    assert found.config_paths == (Path("/etc/mysql"),)
    assert found.section(tmp_path).socket == tmp_path / "run/mysqld/mysqld.sock"
    assert host.puzzles == []


def test_the_last_of_several_files_and_groups_counts(tmp_path: Path) -> None:
    files = {
        "/etc/my.cnf": "[mariadb]\ndatadir=/first\n!include /etc/more.cnf\n[mariadbd]\nlog_bin=mine\n",
        "/etc/more.cnf": "[server]\ndatadir=/second\n",
        "/etc/mysql/my.cnf": "[mysqld]\nskip-log-bin\n[mysql]\ndatadir=/decoy\n",
    }
    found = find_mariadb(HostFiles(make_tree(tmp_path, files)))
    assert found is not None
    assert (found.datadir, found.log_bin) == (Path("/second"), None)
    assert found.config_paths == (Path("/etc/my.cnf"), Path("/etc/more.cnf"), Path("/etc/mysql"))


def test_a_group_ends_with_its_included_file(tmp_path: Path) -> None:
    files = {
        "/etc/my.cnf": "[mysqld]\n!include /etc/more.cnf\ndatadir=/mine\n",
        "/etc/more.cnf": "[client]\nsocket=/decoy.sock\n",
    }
    found = find_mariadb(HostFiles(make_tree(tmp_path, files)))
    assert found is not None
    assert (found.datadir, found.socket) == (Path("/mine"), Path("/run/mysqld/mysqld.sock"))


@pytest.mark.parametrize("group", ["mariadb", "mysqld", "server", "mariadbd"])
def test_keys_and_their_password_file_are_found_in_every_group_of_the_server(group: str, tmp_path: Path) -> None:
    options = (
        f"[{group}]\nplugin-load-add=file_key_management.so\n"
        "loose-file_key_management_filename = '/etc/mysql/encryption/keyfile.enc' # the keys\n"
        "file-key-management-filekey=FILE:/etc/mysql/encryption/keyfile.key\n"
    )
    host = HostFiles(make_tree(tmp_path, {"/etc/mysql/my.cnf": options, **KEYS}))
    found = find_mariadb(host)
    assert found is not None
    assert found.key_plugin == "file_key_management"
    assert found.key_files == tuple(map(Path, KEYS))
    assert host.puzzles == []


@pytest.mark.parametrize(
    "options",
    [
        "[client]\nfile_key_management_filename=/etc/mysql/encryption/keyfile.enc\n",
        "[mysqld]\n#file_key_management_filename=/etc/mysql/encryption/keyfile.enc\n",
        "[mysqld]\n;file_key_management_filename=/etc/mysql/encryption/keyfile.enc\n",
        "[mysqld]\nx # file_key_management_filename=/etc/mysql/encryption/keyfile.enc\n",
        "[mysqld_safe]\nplugin-load-add=file_key_management\n",
    ],
)
def test_keys_in_comments_and_in_groups_of_others_are_none(options: str, tmp_path: Path) -> None:
    found = find_mariadb(HostFiles(make_tree(tmp_path, {"/etc/mysql/my.cnf": options, **KEYS})))
    assert found is not None
    assert (found.key_plugin, found.key_files) == (None, ())


def test_a_password_of_the_keys_in_the_configuration_itself_is_told_without_showing_it(tmp_path: Path) -> None:
    options = (
        "[mysqld]\nfile_key_management_filename=/etc/mysql/encryption/keyfile.enc\n"
        "file_key_management_filekey=S3NTINEL\n"
    )
    host = HostFiles(make_tree(tmp_path, {"/etc/mysql/my.cnf": options, **KEYS}))
    found = find_mariadb(host)
    assert found is not None
    assert found.key_files == (Path("/etc/mysql/encryption/keyfile.enc"),)
    assert "password of the encryption keys" in host.puzzles[0].what
    assert "S3NTINEL" not in repr((found, host.puzzles))


def test_a_key_file_that_is_missing_and_another_plugin_are_told(tmp_path: Path) -> None:
    missing = "[mysqld]\nfile_key_management_filename=/gone.enc\n"
    host = HostFiles(make_tree(tmp_path / "a", {"/etc/my.cnf": missing}))
    find_mariadb(host)
    assert "/gone.enc is not there" in host.puzzles[0].what
    host = HostFiles(make_tree(tmp_path / "b", {"/etc/my.cnf": "[mysqld]\nplugin_load_add=hashicorp_key_management\n"}))
    found = find_mariadb(host)
    assert found is not None
    assert (found.key_plugin, found.key_files) == ("hashicorp_key_management", ())
    assert "not from a file" in host.puzzles[0].what


def test_a_group_of_one_version_counts_for_that_version_only(tmp_path: Path) -> None:
    options = "[mysqld]\ndatadir=/plain\n[mariadb-10.11]\ndatadir=/for-10.11\n[mariadb-11.4]\ndatadir=/for-11.4\n"
    make_tree(tmp_path, {"/etc/my.cnf": options})
    host = HostFiles(tmp_path)
    found = find_mariadb(host, {"version": "10.11.19-MariaDB-log"})
    assert found is not None
    assert (found.datadir, host.puzzles) == (Path("/for-10.11"), [])
    unasked = find_mariadb(host)
    assert unasked is not None
    assert unasked.datadir == Path("/plain")
    assert ["[mariadb-10.11]" in puzzle.what or "[mariadb-11.4]" in puzzle.what for puzzle in host.puzzles] == [
        True
    ] * 2


def test_the_running_server_is_believed_and_a_difference_told(tmp_path: Path) -> None:
    host = HostFiles(make_tree(tmp_path, {"/etc/my.cnf": "[mysqld]\ndatadir=/old\nsocket=/run/s.sock\n"}))
    found = find_mariadb(host, {"datadir": "/new/", "socket": "/run/s.sock", "version": "10.11.1"})
    assert found is not None
    assert found.datadir == Path("/new")
    assert [puzzle.what for puzzle in host.puzzles] == ["line 2 sets datadir, and the running server has /new"]


def test_a_unit_that_names_other_option_files_is_followed(tmp_path: Path) -> None:
    files = {
        "/etc/my.cnf": "[mysqld]\ndatadir=/decoy\n",
        "/srv/db/my.cnf": "[mysqld]\ndatadir=/srv/db/data\n",
        "/etc/systemd/system/mariadb.service.d/opts.conf": "[Service]\n"
        'Environment="MYSQLD_OPTS=--defaults-file=/srv/db/my.cnf"\n# --defaults-file=/decoy.cnf\n',
        "/etc/systemd/system/other.service.d/opts.conf": "[Service]\nExecStart=/usr/sbin/mariadbd --datadir=/decoy\n",
    }
    host = HostFiles(make_tree(tmp_path, files))
    found = find_mariadb(host)
    assert found is not None
    assert (found.datadir, found.config_paths) == (Path("/srv/db/data"), (Path("/srv/db/my.cnf"),))
    assert host.puzzles == []


def test_a_unit_that_starts_the_server_with_its_own_places_is_told(tmp_path: Path) -> None:
    files = {
        "/etc/my.cnf": "[mysqld]\ndatadir=/srv\n",
        "/etc/systemd/system/mariadb.service": "ExecStart=/usr/sbin/mariadbd --datadir=/elsewhere\n",
    }
    host = HostFiles(make_tree(tmp_path, files))
    find_mariadb(host)
    assert ["--datadir" in puzzle.what for puzzle in host.puzzles] == [True]


def test_a_host_without_option_files_has_no_server(tmp_path: Path) -> None:
    assert (
        find_mariadb(HostFiles(make_tree(tmp_path, {"/etc/mysql/mariadb.conf.d/50-server.cnf": "[mysqld]\n"}))) is None
    )


def test_option_files_that_include_each_other_come_to_an_end(tmp_path: Path) -> None:
    host = HostFiles(make_tree(tmp_path, {"/etc/my.cnf": "[mysqld]\ndatadir=/x\n!include /etc/my.cnf\n"}))
    assert find_mariadb(host) is not None
    assert "include each other" in host.puzzles[0].what
