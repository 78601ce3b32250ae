"""Every command of the tree, with words that let it succeed, and settings with which it fails on a secret."""

from dataclasses import dataclass

# What is wrong with the settings of that name: see failing.py, which writes them.
MANGLED = "mangled"
PASSWORD = "wrong-password"
GRANTS = "no-grants"
IDENTITY = "wrong-identity"
SIGNING_KEY = "mangled-signing-key"
ARCHIVE = "broken-archive"
SITE = "mangled-site"
S3_GONE = "s3-gone"
S3_MANGLED = "s3-mangled-credentials"
SFTP_GONE = "sftp-gone"
SFTP_MANGLED = "sftp-mangled-key"
BIGQUERY_MANGLED = "mangled-bigquery-key"


@dataclass(frozen=True)
class Use:
    """How a command is used: words with which it succeeds, and settings with which it fails, with the exit codes.

    `{dir}` is the host's directory, `{root}` the customer's, `{new}` a path that is not there, `{finding}` a finding.
    `code` is the exit code of success, or how it ends where it cannot succeed here. `once`: it succeeds in one form
    only, because it takes long or cannot succeed again. `apart`: nothing of the host is used, so that it can
    run while others do. `failing_words` are others to fail with.
    """

    words: str = ""
    failures: tuple[tuple[str, int], ...] = ((MANGLED, 2),)
    once: bool = False
    apart: bool = False
    failing_words: str | None = None
    code: int = 0


_VAULT = ((MANGLED, 2), (PASSWORD, 5))
_HOST_JOB = ((MANGLED, 2), (PASSWORD, 5), (GRANTS, 5), (SIGNING_KEY, 5))
_STORES = ((MANGLED, 2), (S3_GONE, 10), (S3_MANGLED, 5), (SFTP_GONE, 10), (SFTP_MANGLED, 5))
_INIT = (
    "--config {new}/opsctl.toml --stack demo --root {root} --place all --repository {new}/repository"
    " --state-dir {new}/state --lock-dir {new}/locks --scratch-dir {dir}"
)

# In an order in which each finds what it needs.
USES: dict[str, Use] = {
    "init": Use(_INIT, once=True, failing_words=""),
    "vault init": Use("", _VAULT),
    "vault migrate": Use("", _VAULT),
    "vault import": Use("{dir}/chat.txt --chat Trip --zone UTC", _VAULT),
    "vault checkpoint": Use("", (*_VAULT, (SIGNING_KEY, 5))),
    "vault verify": Use("--full", _VAULT),
    "vault prove": Use("1 --out {dir}/proof.json", _VAULT, once=True),
    "vault check-proof": Use("{dir}/proof.json"),
    "vault search": Use("number", _VAULT),
    "vault show": Use("Trip", _VAULT),
    "vault stats": Use("", _VAULT),
    "vault log": Use("", _VAULT),
    "backup run": Use("", _HOST_JOB, once=True),
    "binlog ship": Use("", _HOST_JOB, once=True),
    "backup copy": Use("", tuple((name, 2 if name == MANGLED else 3) for name, _ in _STORES)),
    "backup prune": Use("--dry-run", _STORES, failing_words="--dry-run --repository elsewhere"),
    "backup list": Use("", _STORES, failing_words="--repository elsewhere"),
    "backup show": Use(),
    "backup verify": Use("", ((MANGLED, 2), (ARCHIVE, 12))),
    "backup layers": Use(),
    "binlog list": Use(),
    "binlog gaps": Use(),
    "restore": Use(
        "--latest --to {dir}/restored",
        ((MANGLED, 2), (IDENTITY, 5), (ARCHIVE, 12)),
        once=True,
        failing_words="--latest --to {new}",
    ),
    "drill run": Use("", ((MANGLED, 2), (IDENTITY, 4), (ARCHIVE, 4), (SITE, 4)), once=True),
    "anomalies collect": Use("", ((MANGLED, 2), (PASSWORD, 3), (BIGQUERY_MANGLED, 3))),
    "anomalies run": Use(code=4),
    "anomalies list": Use(),
    "anomalies rules": Use(),
    "anomalies explain": Use("{finding}"),
    "anomalies mute": Use("{finding} --for 1d --reason known"),
    "anomalies unmute": Use("{finding}", once=True),
    "anomalies acknowledge": Use("{finding}", once=True),
    "anomalies backtest": Use(
        "--csv {dir}/series.csv --time day --value cost --rule outlier",
        failing_words="--csv {dir}/series.csv --time day --value cost --rule none",
    ),
    "deploy plan": Use("{dir}/inventory.toml", ((MANGLED, 2),), code=10, failing_words="{new}/inventory.toml"),
    "deploy bootstrap": Use("{dir}/inventory.toml --why new", code=10, failing_words="{new}/inventory.toml"),
    "deploy apply": Use("{dir}/web1.plan.json", code=2),
    "deploy secret set": Use("{dir}/inventory.toml empty", code=2),
    "deploy secret list": Use("{dir}/inventory.toml"),
    "deploy secret remove": Use("{dir}/inventory.toml blog-env --confirm blog-env", code=2),
    "deploy release": Use("{dir}/inventory.toml page {dir}/page", code=10),
    "deploy rollback": Use("{dir}/inventory.toml page", code=10),
    "deploy releases": Use("{dir}/inventory.toml", code=10, failing_words="{new}/inventory.toml"),
    "deploy drift": Use("{dir}/inventory.toml", code=10),
    "deploy status": Use("{dir}/inventory.toml", ((MANGLED, 2),), code=10, failing_words="{new}/inventory.toml"),
    "deploy unlock": Use("{dir}/inventory.toml --host web1 --confirm web1", code=10),
    "deploy adopt": Use(),
    "deploy restore": Use("{dir}/inventory.toml --from {new}", code=2),
    "deploy log-keys": Use("{dir}/inventory.toml", code=2),
    "drill list": Use(),
    "drill show": Use(),
    "drill self-test": Use("--fault wp-password", ((MANGLED, 2), (IDENTITY, 4)), once=True),
    "vault attack-test": Use(once=True, apart=True, failing_words="--password"),
    "vault renew": Use("--reason lost --confirm vault", _VAULT, once=True),
    "ledger list": Use(),
    "ledger show": Use("1"),
    "ledger verify": Use(),
    "ledger export": Use(),
    "config show": Use(),
    "config validate": Use(),
    "config generate": Use(failing_words="--password"),
    "status": Use(),
    "health run": Use(),
    "health watch": Use("http://127.0.0.1:9/ --samples 1", code=4),
    "maintenance status": Use(code=2),
    "maintenance on": Use("--reason works --until 2031-01-01T00:00:00Z", code=2),
    "maintenance off": Use(code=2),
    "notify list": Use(),
    "notify test": Use(code=4),
    "schedule install": Use("--dry-run --cron"),
    "schedule list": Use(),
    "schedule run": Use("ledger-verify", ((MANGLED, 2), (SIGNING_KEY, 5))),
    "schedule serve": Use("--until-ended", code=2, failing_words=""),
    "doctor": Use("", ((MANGLED, 2), (PASSWORD, 4), (GRANTS, 4), (SIGNING_KEY, 4), (IDENTITY, 4))),
    "demo": Use("--keep --dir {dir}/demo", once=True, apart=True, failing_words="--dir {dir}"),
}
