"""The schedule by cron, on a booted host whose cron really starts it."""

from tests.hosts.host import Host
from tests.hosts.scheduled import Scheduled


def test_cron_starts_jobs_and_catches_up_what_was_missed(host: Host) -> None:
    own = Scheduled(host)
    own.settings('[[jobs]]\nname = "ledger-verify"\ncalendar = "*:*"\n')
    own.install()
    assert own.timers()
    own.install("--cron")
    assert own.timers() == set(), "the same job is never started by both"
    assert own.install("--cron").startswith("Nothing has to change.")
    host.run("systemctl", "restart", "cron")  # which would itself have looked within a minute
    log = host.spawn("journalctl", "--follow", "-o", "cat", "-n0", "-t", "CRON")
    with log:
        assert log.stdout is not None
        while "schedule run ledger-verify" not in log.stdout.readline():
            pass
        while "session closed for user root" not in log.stdout.readline():
            pass
        log.kill()
    assert own.runs("ledger-verify")[0]["outcome"] == "passed"
    own.install()
    assert not host.inside("/etc/cron.d/opsctl").exists()
