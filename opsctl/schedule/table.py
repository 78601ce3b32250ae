"""The table of jobs: everything that runs by itself, on any of the three places.

Another job is another row. What it runs has to be a command that can be typed by hand and that leaves a record.
"""

from dataclasses import dataclass
from typing import Literal

from opsctl.core.job import Job

Need = Literal["backup", "certificates", "copies", "drill", "exports", "repository", "retention", "vault"]
Secret = Literal["signing", "database", "export", "repositories", "identities", "vault", "notify", "health", "watch"]
Place = Literal["repositories", "scratch", "media", "signs"]

REPOSITORY = "{repository}"
"""Stands in a job's words for the name of this machine's first repository."""
_HOUR_S = 3600.0
# At most 41 days apart, in leap years, too: a drill is due every 42 days, and may itself take a while.
_EVERY_SIX_WEEKS = "; ".join(
    f"*-{day} 04:30:00" for day in ("01-02", "02-11", "03-23", "05-03", "06-13", "07-24", "09-03", "10-13", "11-23")
)


@dataclass(frozen=True)
class Row:
    """A job and what whoever starts it has to know.

    `what` says it in a few words; `needs` is what the settings have to have, else the job is none of this machine's;
    `delay_s` is the most by which a start may be put off at random, in seconds; `secrets` are those that it opens and
    `writes` where, besides state and locks. `sandbox`: it runs programs in bubblewrap, which needs namespaces.
    """

    job: Job
    what: str
    needs: tuple[Need, ...] = ()
    delay_s: float = 0.0
    secrets: tuple[Secret, ...] = ()
    writes: tuple[Place, ...] = ()
    sandbox: bool = False


ROWS: tuple[Row, ...] = (
    Row(
        Job(
            name="backup",
            argv=("backup", "run"),
            calendar="*-*-* 02:00:00",
            runs_on="host",
            timeout_s=8 * _HOUR_S,
            expects="backup",
        ),
        "nightly backup",
        needs=("backup",),
        delay_s=900,
        secrets=("signing", "database", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="export",
            argv=("backup", "run", "--kind", "logical", "--lock-wait", "3600"),
            calendar="Sat *-*-* 03:30:00",
            runs_on="host",
            timeout_s=8 * _HOUR_S,
            expects="export",
        ),
        "weekly logical export",
        needs=("backup", "exports"),
        delay_s=900,
        secrets=("signing", "export", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="binlog-ship",
            argv=("binlog", "ship"),
            calendar="*:0/15",
            runs_on="host",
            timeout_s=840,
            expects="shipment",
        ),
        "shipment of binary logs",
        needs=("backup",),
        delay_s=20,
        secrets=("signing", "database", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="copy",
            argv=("backup", "copy"),
            calendar="*:40",
            runs_on="host",
            timeout_s=8 * _HOUR_S,
            expects="copy",
        ),
        "copies that are missing elsewhere",
        needs=("backup", "copies"),
        delay_s=120,
        secrets=("signing", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="verify",
            argv=("backup", "verify", "--all"),
            calendar="Sun *-*-* 06:00:00",
            runs_on="host",
            timeout_s=8 * _HOUR_S,
            expects="verification",
        ),
        "every backup read again",
        needs=("backup",),
        delay_s=900,
        secrets=("repositories",),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="prune",
            argv=("backup", "prune", "--confirm", REPOSITORY, "--lock-wait", "3600"),
            calendar="Sun *-*-* 04:00:00",
            runs_on="host",
            timeout_s=4 * _HOUR_S,
            expects="prune",
        ),
        "what no rule of [retention] keeps deleted from this host's repository",
        needs=("backup", "retention"),
        delay_s=900,
        secrets=("signing", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="vault-verify",
            argv=("vault", "checkpoint"),
            calendar="*-*-* 05:00:00",
            runs_on="host",
            timeout_s=2 * _HOUR_S,
            expects="vault-verification",
        ),
        "the vault's audit log verified and pinned",
        needs=("vault",),
        delay_s=300,
        secrets=("signing", "database", "repositories", "vault"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="ledger-verify",
            argv=("ledger", "verify", "--record"),
            calendar="*-*-* 05:30:00",
            runs_on="host",
            timeout_s=_HOUR_S,
            expects="ledger-verification",
        ),
        "the ledger verified and pinned",
        needs=("repository",),
        delay_s=300,
        secrets=("signing", "repositories"),
        writes=("repositories",),
    ),
    Row(
        Job(
            name="health",
            argv=("health", "run"),
            calendar="*:0/5",
            runs_on="host",
            timeout_s=240,
            expects="health",
        ),
        "a look at everything visitors depend on",
        secrets=("database", "health"),
    ),
    Row(
        Job(
            name="certificates",
            argv=("health", "run", "--only", "certificate*", "--only", "visit.*"),
            calendar="Mon *-*-* 07:00:00",
            runs_on="host",
            timeout_s=240,
            expects="health",
        ),
        "a look at all certificates",
        needs=("certificates",),
        delay_s=300,
    ),
    Row(
        Job(
            name="anomalies",
            argv=("anomalies", "run", "--collect"),
            calendar="*:05",
            runs_on="host",
            timeout_s=1800,
            expects="anomalies-run",
        ),
        "what is measured, measured and judged",
        delay_s=120,
        secrets=("repositories", "watch"),
    ),
    Row(
        Job(
            name="arrivals",
            argv=("health", "run"),
            calendar="*:10/15",
            runs_on="drill_host",
            timeout_s=600,
            expects="health",
        ),
        "a look at what arrives from the host",
        needs=("repository",),
        delay_s=20,
        secrets=("repositories", "health"),
    ),
    Row(
        Job(
            name="sample",
            argv=("backup", "verify", "--sample", "4"),
            calendar="*-*-* 03:15:00",
            runs_on="drill_host",
            timeout_s=8 * _HOUR_S,
            expects="sweep",
        ),
        "a part of all archives read again, and whether new ones arrive",
        needs=("repository",),
        delay_s=900,
        secrets=("repositories",),
    ),
    Row(
        Job(
            name="drill",
            argv=("drill", "run"),
            calendar=_EVERY_SIX_WEEKS,
            runs_on="drill_host",
            timeout_s=8 * _HOUR_S,
            expects="drill",
        ),
        "drill of the newest backup",
        needs=("drill",),
        delay_s=900,
        secrets=("signing", "repositories", "identities"),
        writes=("repositories", "scratch"),
        sandbox=True,
    ),
)
