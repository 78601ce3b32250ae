"""What time it is on the hosts."""

from typing import Annotated

from pydantic import Field, StringConstraints

from opsctl.core.section import Section

Server = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.:-]*[a-z0-9])?$", max_length=253)]


class TimeSection(Section):
    """Whom the hosts ask for the time."""

    servers: tuple[Server, ...] = Field(
        (), description="NTP servers; Debian's when there are none.", examples=[["ntp1.example.net"]]
    )
