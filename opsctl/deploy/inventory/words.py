"""Words of an inventory that several of its sections use."""

from typing import Annotated

from pydantic import StringConstraints

Domain = Annotated[
    str,
    StringConstraints(pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}$", max_length=253),
]
# A Linux account, a database account and a database bear a site's name.
SiteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Network = Annotated[str, StringConstraints(pattern=r"^[0-9a-f.:]+(/[0-9]{1,3})?$")]
PublicKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-ed25519|ecdsa-sha2-\S+|sk-ssh-\S+|ssh-rsa) [A-Za-z0-9+/=]+( .*)?$")
]
