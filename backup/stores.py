"""Opens the store of a repository."""

from backup.settings import DirectoryRepository, Repository, S3Repository, SftpRepository
from opsctl.core.errors import SettingsError
from opsctl.core.secret_file import loaded
from opsctl.core.store import Store
from opsctl.core.store.directory import DirectoryStore


def open_store(repository: Repository) -> Store:
    """The store that a repository's settings describe; nothing is connected before it is used.

    Raises SettingsError when opsctl was installed without what the store needs.
    """
    if isinstance(repository, DirectoryRepository):
        return DirectoryStore(repository.path)
    if isinstance(repository, SftpRepository):
        return _sftp(repository)
    return _s3(repository)


def _sftp(repository: SftpRepository) -> Store:
    # paramiko takes a quarter of a second to import, which only those shall wait for who need it.
    from opsctl.core.store.sftp import SftpStore
    from opsctl.core.store.sftp_connection import SftpServer

    server = SftpServer(
        host=repository.host,
        port=repository.port,
        user=repository.user,
        key_file=loaded(repository.key_file),
        host_keys=repository.host_keys,
        timeout_s=repository.timeout_s,
    )
    return SftpStore(server, repository.path)


def _s3(repository: S3Repository) -> Store:
    try:
        from opsctl.core.store.s3 import S3Store
        from opsctl.core.store.s3_connection import S3Bucket
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"S3 repositories need the package {error.name}",
            where=f"repository '{repository.name}'",
            hint="install opsctl with its extra: pipx install 'opsctl[s3]'",
        ) from error
    bucket = S3Bucket(
        bucket=repository.bucket,
        prefix=repository.prefix,
        endpoint=repository.endpoint,
        region=repository.region,
        path_style=repository.path_style,
        credentials_file=loaded(repository.credentials_file),
        lock_days=repository.lock_days,
        lock_mode=repository.lock_mode,
        timeout_s=repository.timeout_s,
    )
    return S3Store(bucket)
