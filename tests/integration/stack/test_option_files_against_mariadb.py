"""Option files mean to discovery what they mean to MariaDB's own programs."""

import re
from pathlib import Path

from opsctl.core.process import command, run
from opsctl.stack.discovery.host import HostFiles
from opsctl.stack.discovery.option_files import read_option_files

OPTIONS = r"""
# comment
[client]
socket=/client
[mysqld]
socket = '/a b#c' # quoted
datadir=/x#y
log_error="a\tb\\c\s"
tmpdir = a b   # c
loose-x-y = 1
ft-stopword-file='it"s'
ssl-ca="it's"
init-connect='a\'b' # c
basedir = \x\;
plugin-dir=''
skip-networking
[mysqld_safe]
socket=/safe
[ mariadb ]
user = decoy
[mariadb ]
user = u
!includedir INCLUDED
[server]
port=1
[mariadb-OURS]
report-host=ours
[mariadb-5.5]
report-host=decoy
"""


def test_every_line_means_what_it_means_to_mariadb(tmp_path: Path) -> None:
    (tmp_path / "included").mkdir()
    for name in ("b.cnf", "a.cnf", "10.cnf", "9.cnf", "C.cnf", "d.txt", "e.cnf~"):
        (tmp_path / "included" / name).write_text(f"[mariadbd]\nserver-id={name}\n")
    main = tmp_path / "my.cnf"
    main.write_text(OPTIONS.replace("INCLUDED", str(tmp_path / "included")))
    version = run(command("mariadbd", "--no-defaults", "--version"), timeout_s=60).text()
    number = re.search(r"Ver (\d+\.\d+)", version)
    assert number is not None
    main.write_text(main.read_text().replace("OURS", number[1]))
    of_server = run(command("mariadbd", f"--defaults-file={main}", "--print-defaults"), timeout_s=60).text()
    assert ("--report-host=ours" in of_server, "--report-host=decoy" in of_server) == (True, False)
    families = ("mysqld", "mariadb", "mariadbd")
    groups = ["server", "client-server", "galera", *families, *(f"{family}-{number[1]}" for family in families)]
    printed = run(command("my_print_defaults", f"--defaults-file={main}", *groups), timeout_s=60).text()
    found = read_option_files(HostFiles(Path("/")), (main,)).of_server(number[1])
    mine = [each.name if each.value is None else f"{each.name}={each.value}" for each in found]
    theirs = []
    for line in printed.splitlines():
        name, equals, value = line.removeprefix("--").partition("=")
        theirs.append(name.replace("-", "_").removeprefix("loose_") + equals + value)
    assert mine == theirs
    assert len(mine) > 15
