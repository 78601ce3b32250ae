"""Words of an inventory that several of its sections use."""

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _network(text: str) -> str:
    """An address or network as programs read it; one with bits beyond its prefix is a mistake."""
    ipaddress.ip_network(text)
    return text


Domain = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}$", max_length=253),
]
# A Linux account, a database account and a database bear a site's name.
SiteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Network = Annotated[str, StringConstraints(pattern=r"^[0-9a-f.:]+(/[0-9]{1,3})?$"), AfterValidator(_network)]
# A path in a release; at its end a slash for a directory.
SharedPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*/?$")]
# What a visitor asks for: a path and everything below it.
WebPath = Annotated[str, StringConstraints(pattern=r"^(/|(/[A-Za-z0-9._~-]+)+)$")]
# What age takes is said by age itself, on the host, before anything is changed there.
AgeRecipient = Annotated[str, StringConstraints(pattern=r"^(age1[0-9a-z]{58}|ssh-(ed25519|rsa) \S+.*)$")]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-ed25519|ecdsa-sha2-\S+|sk-ssh-\S+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$")
]
# Neither a way out of its directory nor a file that is being written (agent/host.py).
FileName = Annotated[str, StringConstraints(pattern=r"^(\.?[A-Za-z0-9_][A-Za-z0-9_.-]*)$", max_length=100)]
