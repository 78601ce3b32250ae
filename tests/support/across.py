"""Takes a logical export on one version of MariaDB, or drills one that was taken on another: `python -m` with `make` or
`drill` and a directory; the answer is JSON."""

import json
import sys
from pathlib import Path

from backup.logical.run import run_export
from restore_drill.exports.drill import run_export_drill
from tests.support.everything import content, fill
from tests.support.host import drill_host_of, make_host
from tests.support.mariadb import running_server

LOGGING = ("--log-bin=bin", "--server-id=7")


def make(directory: Path) -> str:
    """Export one of everything into a repository in `directory`, with all that a drill of it needs beside it."""
    with running_server(LOGGING) as server:
        fill(server)
        host = make_host(directory, server)
        export = run_export(host)
        tables = {(table.database, table.name): table for table in content(server).tables}
        assert all(tables[table.database, table.name] == table for table in export.tables if table.rows is not None)
    return export.server_version


def drill(directory: Path) -> dict[str, tuple[str, str]]:
    """Drill the export in `directory`: outcome and finding of each check."""
    report = run_export_drill(drill_host_of(directory), "latest")
    return {result.id: (str(result.outcome), result.found) for result in report.body.results}


if __name__ == "__main__":
    json.dump({"make": make, "drill": drill}[sys.argv[1]](Path(sys.argv[2])), sys.stdout)
