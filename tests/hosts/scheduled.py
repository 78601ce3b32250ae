"""A customer's host that backs itself up, drills itself, and whose jobs are to run by themselves."""

import json
from typing import Any

from tests.hosts.host import Host

SETTINGS = "/etc/opsctl/opsctl.toml"
_BINLOG = "[mariadbd]\nlog_bin = mysql-bin\nserver_id = 1\n"


class Scheduled:
    """The host, and what its settings say of jobs."""

    def __init__(self, host: Host) -> None:
        self.host = host
        host.write("/etc/mysql/mariadb.conf.d/99-binlog.cnf", _BINLOG)
        host.shell("systemctl restart mariadb; opsctl init --quiet --place all; mariadb < /etc/opsctl/accounts.sql")
        host.shell("mariadb -e 'CREATE DATABASE shop; CREATE TABLE shop.t (id INT); INSERT INTO shop.t VALUES (7)'")
        host.shell("opsctl backup run --quiet")
        self._settings = host.read(SETTINGS)

    def settings(self, text: str, *, place: str = "all") -> None:
        """Say of jobs this, and nothing that was said before."""
        before = self._settings.replace('place = "all"', f'place = "{place}"')
        self.host.write(SETTINGS, f"{before}\n{text}\n")

    def install(self, *words: str) -> str:
        """Install the schedule; what the command said."""
        return self.host.run("opsctl", "schedule", "install", *words).stdout

    def json(self, *words: str) -> Any:
        """What a command answers."""
        return json.loads(self.host.run("opsctl", "--json", *words).stdout)

    def runs(self, job: str) -> list[dict[str, Any]]:
        """The records of a job, oldest first."""
        rows = self.json("ledger", "export")["entries"]
        records = [json.loads(row["payload"]) for row in rows]
        return [record for record in records if record["kind"] == "job" and record["body"]["job"] == job]

    def timers(self) -> set[str]:
        """The jobs whose timers are active."""
        listed = self.host.shell("systemctl list-timers --no-legend 'opsctl-*'").split()
        return {word.removeprefix("opsctl-").removesuffix(".timer") for word in listed if word.endswith(".timer")}

    def wait_for_run(self, job: str, *, since: str = "-n0", times: int = 1) -> None:
        """Wait until the journal says that a job's service ended well, so many times."""
        ended = f"Finished opsctl-{job}.service"
        with self.host.spawn("journalctl", "--follow", "-o", "cat", since, "-u", f"opsctl-{job}.service") as journal:
            assert journal.stdout is not None
            while times:
                times -= ended in journal.stdout.readline()
            journal.kill()
