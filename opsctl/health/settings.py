"""Settings of what health looks at, and of what it may do about what it finds."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from opsctl.core.section import Section
from opsctl.stack.settings import Slug

Unit = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9:_.\\@-]+\.(service|socket|timer|mount|target)$", max_length=255)
]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[!-~]*)?$")]


class HealthSection(Section):
    """What `opsctl health run` looks at, beside [[visits]], [[queues]] and [[timers]]."""

    timeout_s: float = Field(10, description="Seconds that one look may take.", gt=0, le=120)
    fresh_min: float = Field(15, description="Minutes for which a look counts as fresh.", gt=0)
    disks: tuple[Path, ...] = Field((Path("/"),), description="Directories whose file systems need room.")
    min_free_percent: float = Field(10, description="Room that has to be free, in percent.", ge=0, le=100)
    min_free_inodes_percent: float = Field(5, description="Inodes that have to be free, in percent.", ge=0, le=100)
    php_fpm_sockets: tuple[Path, ...] = Field(
        (), description="Unix sockets of PHP-FPM's pools; each has to answer.", examples=[["/run/php/php8.2-fpm.sock"]]
    )
    units: tuple[Unit, ...] = Field(
        (), description="systemd units that have to run.", examples=[["nginx.service", "app.service"]]
    )
    certificates: tuple[Path, ...] = Field((), description="Certificates to look at, beside those that nginx names.")
    certificate_days: float = Field(14, description="Days for which a certificate has to be valid still.", ge=0)
    database_user: str | None = Field(
        None, description="Account that asks the database; by default the one that ships binary logs."
    )
    database_password_file: Path | None = Field(None, description="File with its password.")
    replica: bool = Field(
        False, description="Whether the database is a replica: its threads have to run (needs SLAVE MONITOR)."
    )
    max_lag_s: float = Field(300, description="Seconds that a replica may be behind.", ge=0)


class VisitSection(Section):
    """An address that is asked for as a visitor does."""

    name: Slug = Field(description="Name of the visit, for reports.", examples=["blog"])
    url: Url = Field(description="What a visitor types.", examples=["https://blog.example/"])
    address: str | None = Field(
        None,
        description="Address to connect to instead of the name's own: 127.0.0.1 asks the web server of this host.",
        examples=["127.0.0.1"],
    )
    status: int = Field(200, description="Status that the answer has to have, after redirects.", ge=100, le=599)
    text: str | None = Field(None, description="Words that have to be in the answer.", examples=["Welcome"])
    redirects_to: str | None = Field(
        None,
        description="Where the first answer has to lead (nothing is followed then).",
        examples=["https://www.blog.example/"],
    )
    max_redirects: int = Field(5, description="How many redirects are followed.", ge=0, le=20)
    timeout_s: float = Field(10, description="Seconds that the visit may take in all.", gt=0, le=120)
    ca_file: Path | None = Field(None, description="Authorities that are believed instead of the system's own (PEM).")


class QueueSection(Section):
    """A number in the database that must not grow beyond a limit."""

    name: Slug = Field(description="Name of the queue, for reports.", examples=["mail"])
    sql: str = Field(
        description="A query with one row and one number.",
        examples=["SELECT COUNT(*) FROM crm.mail_queue WHERE sent IS NULL"],
        min_length=1,
    )
    limit: float = Field(description="The largest number that is well.", examples=[500])


class TimerSection(Section):
    """A systemd timer that has to have run."""

    unit: Unit = Field(description="The timer.", examples=["certbot.timer"])
    max_age_h: float = Field(26, description="Hours within which it has to have run.", gt=0)


class RecoverySection(Section):
    """What may be done about a check that fails: restart a unit, a few times, and then call a person."""

    checks: tuple[str, ...] = Field(
        description="Names of checks, with * for any: opsctl health run shows them.",
        examples=[["php.*"]],
        min_length=1,
    )
    unit: Unit = Field(description="The unit that is restarted.", examples=["php8.2-fpm.service"])
    per_hour: int = Field(3, description="How often within an hour; after that a person is called.", ge=1, le=60)
    settle_s: float = Field(20, description="Seconds within which the check has to pass after that.", gt=0, le=300)


class MaintenanceSection(Section):
    """What visitors see during maintenance, and who is let through."""

    allow: tuple[str, ...] = Field(
        (), description="Addresses and networks that are let through.", examples=[["203.0.113.7", "2001:db8::/32"]]
    )
    page: Path | None = Field(None, description="HTML for visitors instead of opsctl's own; at most 64 KiB.")
