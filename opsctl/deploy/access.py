"""The way in: whoever deploys has to get in afterwards, too."""

from opsctl.core.errors import SettingsError
from opsctl.core.ssh import public_key
from opsctl.deploy.plan import Target
from opsctl.deploy.resources import Desired, File

AUTHORIZED_KEYS = "/home/{user}/.ssh/authorized_keys"


def refuse_lockout(desired: Desired, target: Target) -> None:
    """Refuse what would leave no key that opens the operations account to this machine.

    Raises SettingsError for that, AuthError for a private key that cannot be read.
    """
    path = AUTHORIZED_KEYS.format(user=target.confirm_user)
    ours = public_key(target.key_file)
    for each in desired.resources:
        if isinstance(each, File) and each.path == path and ours not in each.data.decode().split():
            raise SettingsError(
                f"no key of {target.confirm_user} would be left that this machine has: nobody would get in any more",
                where=str(target.key_file),
                hint=f"add to keys of [access] what this says: ssh-keygen -y -f {target.key_file}",
            )
