"""The SSH connection below an SFTP store."""

from dataclasses import dataclass
from typing import ClassVar

from opsctl.core.ssh import SshAccount, SshConnection
from opsctl.core.store.sftp_protocol import SftpChannel


@dataclass(frozen=True)
class SftpServer(SshAccount):
    """An account on an SFTP server."""

    @property
    def where(self) -> str:
        """The account, for a person."""
        return f"sftp://{super().where}"


class SftpConnection(SshConnection):
    """Opens SFTP channels to one account; connects when there is need to. Threads may share it."""

    kind: ClassVar[str] = "SFTP server"

    def channel(self) -> SftpChannel:
        """Open a channel. Raises UnreachableError, and AuthError for a key that either side does not accept."""
        return SftpChannel(self.session("sftp"), self._server.where)
