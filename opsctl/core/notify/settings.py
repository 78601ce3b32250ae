"""Settings of who hears what."""

from pathlib import Path

from pydantic import Field

from opsctl.core.job import Slug
from opsctl.core.rule import Severity
from opsctl.core.section import Section


class NotifySection(Section):
    """What is said to whom is in [[channels]]; here are signs of life, and how long to try."""

    ping_url_file: Path | None = Field(
        None,
        description="File (mode 0600) with the address that each job pings: …/start, the address alone, …/fail. "
        "{job} in it stands for the job's name.",
        examples=["/etc/opsctl/ping.url"],
    )
    textfile_dir: Path | None = Field(
        None,
        description="Directory that Prometheus' node_exporter reads *.prom files from.",
        examples=["/var/lib/prometheus/node-exporter"],
    )
    health_file: Path | None = Field(
        None,
        description="File whose only line says in JSON how this machine is.",
        examples=["/run/opsctl/health.json"],
    )
    again_h: float = Field(24, description="Hours after which trouble that lasts is told again.", gt=0)
    give_up_h: float = Field(72, description="Hours for which a message that nobody takes is tried again.", gt=0)
    timeout_s: float = Field(30, description="Seconds that sending one message may take.", gt=0)


class ChannelSection(Section):
    """A way to reach people: mail, a webhook, ntfy, or any other that Apprise has an address format for."""

    name: Slug = Field(description="Name of the channel, for commands and reports.", examples=["operator"])
    url_file: Path = Field(
        description="File (mode 0600) with its Apprise address, which is a secret: mailtos://…, ntfys://…, jsons://…",
        examples=["/etc/opsctl/operator.url"],
    )
    severities: tuple[Severity, ...] = Field(
        (Severity.CRITICAL, Severity.WARNING),
        description="What is sent there: critical, warning, info.",
        min_length=1,
    )
