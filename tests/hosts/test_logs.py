"""What happens on one host is kept by another: nothing is lost while that is away, and nobody else may add to it."""

import subprocess
from collections.abc import Iterator

import pytest

from opsctl.deploy.desired.logs import KEPT, KEYS, UNDER_WAY
from tests.hosts.bases import logging_base
from tests.hosts.host import Host
from tests.hosts.operators import Operator
from tests.hosts.visitors import fetch

OURS, THEIRS = "10.232.77.1", "10.232.77.2"
LOGS = f"""
[logs]
host = "logs1"
days = 30
address = "{THEIRS}"
networks = ["{OURS}"]
[secrets]
recipients = ["{{recipient}}"]
[[sites]]
name = "brochure"
kind = "static"
host = "web1"
domains = ["www.acme.example"]
"""
# rsyslog has taken all but the last few lines out of the journal, and says so after every ten.
UNTIL_READ = r"""
number() { sed 's/.*;i=\([0-9a-f]*\);.*/0x\1/'; }
until test $(($(number </var/spool/rsyslog/opsctl-journal) + 20)) -gt \
    $(($(journalctl --quiet --lines=1 --show-cursor --output=cat | tail -1 | number)))
do sleep 0.1; done"""
FILE = f"{KEPT}/web1/$(date -u +%F).log"


@pytest.fixture(scope="module")
def pair() -> Iterator[dict[str, Host]]:
    made = {name: Host.make(logging_base(), name) for name in ("web1", "logs1")}
    try:
        for host in made.values():
            host.boot()
        join(made["web1"], made["logs1"])
        yield made
    finally:
        for host in made.values():
            host.destroy()


@pytest.fixture(scope="module")
def operator(pair: dict[str, Host], tmp_path_factory: pytest.TempPathFactory) -> Operator:
    made = Operator.make(tmp_path_factory.mktemp("operator"))
    return made.describe(pair, LOGS.format(recipient=made.open_secrets()))


@pytest.fixture(scope="module")
def sending(pair: dict[str, Host], operator: Operator) -> Host:
    """The host that sends its logs, once both are made of hosts that only root has been on."""
    code, document = operator.opsctl("deploy", "log-keys", operator.inventory)
    assert (code, document["made"]) == (0, ["logs-authority", "logs-web1", "logs-logs1"])
    for name in ("logs1", "web1"):
        words = ("deploy", "bootstrap", operator.inventory, "--host", name, "--why", "logs of its own")
        code, document = operator.opsctl(*words)
        assert (code, document.get("message"), document.get("result")) == (0, None, "made")
    return pair["web1"]


def join(one: Host, other: Host) -> None:
    """A network between two hosts, beside those that each has with this machine."""
    ends = ((one, "between1", OURS), (other, "between2", THEIRS))
    pids = [str(host._supervisor.pid) for host, _, _ in ends]
    words = ["ip", "link", "add", "between1", "netns", pids[0], "type", "veth", "peer", "between2", "netns", pids[1]]
    subprocess.run(words, check=True)
    for (_, link, address), pid in zip(ends, pids, strict=True):
        inside = ["nsenter", f"--target={pid}", "--net", "ip"]
        subprocess.run([*inside, "address", "add", f"{address}/30", "dev", link], check=True)
        subprocess.run([*inside, "link", "set", link, "up"], check=True)


def arrived(pair: dict[str, Host], text: str) -> bool:
    """Whether lines with a text are kept of the host that sends, sooner or later."""
    waiting = f'for try in $(seq 450); do ! grep -q -- "{text}" {FILE} || exit 0; sleep 0.2; done; exit 1'
    return pair["logs1"].run("sh", "-c", waiting, timeout_s=180, check=False).returncode == 0


def test_a_command_by_sudo_and_a_visit_arrive(pair: dict[str, Host], sending: Host) -> None:
    sending.run("sudo", "-u", "www-data", "true")
    assert "404 Not Found" in fetch(sending, "www.acme.example", "/visited")
    assert arrived(pair, "COMMAND=/usr/bin/true")
    assert arrived(pair, "brochure-access.*GET /visited")
    assert sending.run("curl", "--silent", "http://localhost/of-no-site", check=False).stdout == ""
    assert arrived(pair, "nginx-access.*GET /of-no-site")


def test_what_is_logged_while_the_other_is_away_arrives(pair: dict[str, Host], sending: Host) -> None:
    sending.run("logger", "before-it-went")
    assert arrived(pair, "before-it-went")
    pair["logs1"].cut_power()
    sending.shell("seq -f 'meanwhile-%g.' 1500 | logger")
    pair["logs1"].boot()
    assert different(pair, "meanwhile", 1500) == 1500


def test_what_waits_outlives_the_end_of_rsyslog_but_for_what_was_on_its_way(
    pair: dict[str, Host], sending: Host
) -> None:
    sending.run("logger", "before-it-went-again")
    assert arrived(pair, "before-it-went-again")
    pair["logs1"].cut_power()
    sending.shell(f"seq -f 'waiting-%g.' 1500 | logger; {UNTIL_READ}; systemctl restart rsyslog; logger waiting-last.")
    pair["logs1"].boot()
    assert arrived(pair, "waiting-last")
    assert different(pair, "waiting", 1501 - UNDER_WAY) >= 1501 - UNDER_WAY


def different(pair: dict[str, Host], text: str, enough: int) -> int:
    """How many different lines that begin with a text are kept, once they are enough, or nothing comes any more."""
    count = f"grep -o '{text}-[0-9a-z]*\\.' {FILE} | sort -u | wc -l"
    waiting = (
        f"for try in $(seq 200); do found=$({count}); test $found -lt {enough} || break; sleep 0.2; done; echo $found"
    )
    return int(pair["logs1"].shell(waiting, timeout_s=120))


def test_who_has_no_certificate_of_the_stack_is_refused(pair: dict[str, Host], sending: Host) -> None:
    sending.shell(
        "cd /root; openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=web1.acme.logs -keyout other.key"
        " -out other.pem 2>/dev/null"
    )
    hello = "relp_version=0\\nrelp_software=test\\ncommands=syslog"
    talk = f"(printf '1 open 49 {hello}\\n') | timeout 3 openssl s_client -quiet -connect {THEIRS}:6514"
    ours = sending.shell(f"{talk} -cert {KEYS}/host.pem -key {KEYS}/host.key 2>&1 || :")
    assert "200 OK" in ours
    assert "200 OK" not in sending.shell(f"{talk} -cert /root/other.pem -key /root/other.key 2>&1 || :")
    assert "200 OK" not in sending.shell(f"{talk} 2>&1 || :")


def test_days_that_are_over_are_compressed_and_old_ones_deleted(pair: dict[str, Host], sending: Host) -> None:
    keeper = pair["logs1"]
    keeper.shell(
        f"cd {KEPT}/web1; echo old >2020-01-01.log; gzip 2020-01-01.log; touch -d '31 days ago' 2020-01-01.log.gz;"
        " echo young >2020-02-01.log; gzip 2020-02-01.log; touch -d '29 days ago' 2020-02-01.log.gz;"
        " echo over >2020-03-01.log; touch -d '1 day ago' 2020-03-01.log; echo late >2020-04-01.log;"
        " run-parts --test /etc/cron.daily | grep opsctl"
    )
    keeper.run("/etc/cron.daily/opsctl-logs")
    left = keeper.shell(f"cd {KEPT}/web1; ls").split()
    assert left[:3] == ["2020-02-01.log.gz", "2020-03-01.log.gz", "2020-04-01.log"]
    assert len(left) == 4


def test_a_second_look_makes_no_keys_and_plans_no_change(sending: Host, operator: Operator) -> None:
    code, document = operator.opsctl("deploy", "log-keys", operator.inventory)
    assert (code, document["made"]) == (0, [])
    code, document = operator.opsctl("deploy", "plan", operator.inventory, "--exit-code")
    assert (code, [host["changes"] for host in document["hosts"]]) == (0, [[], []])
