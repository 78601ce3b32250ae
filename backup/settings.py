"""Settings of backups: recipients, repositories, limits."""

import base64
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Discriminator, Field, StringConstraints, Tag, field_validator

from opsctl.core.section import Section
from opsctl.stack.settings import Slug

# Passes the pattern, and no age accepts it: nobody's archives are ever encrypted for an example.
_NOBODY = f"age1{'putyourownrecipienthere':x<58}"

Recipient = Annotated[str, StringConstraints(pattern=r"^(age1[0-9a-z]{58}|ssh-(ed25519|rsa) \S+.*)$")]


HostKey = Annotated[
    str, StringConstraints(pattern=r"^(ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|ssh-rsa) [A-Za-z0-9+/]{40,}=*( .*)?$")
]


class RetentionSection(Section):
    """What `backup prune` keeps: of each kind so many, counting only days, weeks … in which there was a backup."""

    keep_last: int = Field(3, description="The newest backups.", ge=1)
    daily: int = Field(14, description="One for each of so many days.", ge=0)
    weekly: int = Field(8, description="One for each of so many weeks.", ge=0)
    monthly: int = Field(12, description="One for each of so many months.", ge=0)
    yearly: int = Field(2, description="One for each of so many years.", ge=0)
    binlog_days: int = Field(35, description="Days of binary logs from which every moment can be restored.", ge=0)
    zone: str = Field("UTC", description="The time zone whose days these are.", examples=["Asia/Kolkata"])

    @field_validator("zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            raise ValueError("there is no time zone of this name") from None
        return zone


class RepositorySection(Section):
    """Where archives live. The first repository is a directory on the host itself."""

    name: Slug = Field(description="Name of the repository, the same on all machines.", examples=["local"])
    retention: RetentionSection | None = Field(
        None, description="What is kept there, if not what [retention] says.", examples=[{"daily": 30, "weekly": 26}]
    )


class DirectoryRepository(RepositorySection):
    """A directory of this machine."""

    kind: Literal["directory"] = Field("directory", description="How it is reached: directory, sftp or s3.")
    path: Path = Field(description="The directory.", examples=["/var/backups/opsctl"])
    off_host: bool = Field(False, description="Whether it survives the loss of the host (another disk does not count).")


class SftpRepository(RepositorySection):
    """A directory on a server with OpenSSH."""

    name: Slug = Field(description="Name of the repository, the same on all machines.", examples=["offsite"])
    kind: Literal["sftp"] = Field(description="How it is reached: directory, sftp or s3.")
    host: str = Field(description="The server.", examples=["backup.example.net"], min_length=1)
    port: int = Field(22, description="Its SSH port.", ge=1, le=65535)
    user: str = Field(description="The account there.", examples=["acme"], min_length=1)
    key_file: Path = Field(
        description="The account's private key, without passphrase (mode 0600).", examples=["/etc/opsctl/offsite_key"]
    )
    host_keys: tuple[HostKey, ...] = Field(
        description="The server's public keys; no other is believed. Ask its operator, or: ssh-keyscan HOST",
        examples=[["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPutTheServersOwnPublicKeyHereYourselfPlease"]],
        min_length=1,
    )
    path: str = Field(description="The directory, which has to be there.", examples=["/backups"], min_length=1)
    timeout_s: float = Field(30, description="Seconds that the server may take to answer.", gt=0)
    off_host: bool = Field(True, description="Whether it survives the loss of the host.")

    @field_validator("host_keys")
    @classmethod
    def _are_whole(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        for kind, text in (key.split()[:2] for key in keys):
            try:
                key = base64.b64decode(text, validate=True)
            except ValueError:
                key = b""
            if not key.startswith(len(kind).to_bytes(4) + kind.encode()):
                raise ValueError(f"a host key is no whole {kind} key")
        return keys


class S3Repository(RepositorySection):
    """A bucket of an S3 service."""

    name: Slug = Field(description="Name of the repository, the same on all machines.", examples=["immutable"])
    kind: Literal["s3"] = Field(description="How it is reached: directory, sftp or s3.")
    bucket: str = Field(description="The bucket, which has to be there.", examples=["acme-backups"], min_length=3)
    prefix: str = Field("", description="A folder in it that holds the repository.", pattern=r"^([^/]+(/[^/]+)*)?$")
    endpoint: str | None = Field(
        None,
        description="Address of the service, when it is not Amazon's.",
        examples=["https://s3.example.net"],
        pattern=r"^https?://[^/@]+$",
    )
    region: str = Field("us-east-1", description="Region that requests are signed for.", min_length=1)
    path_style: bool = Field(False, description="Whether the bucket stands in the path of an address, not its host.")
    credentials_file: Path = Field(
        description="File (mode 0600) with aws_access_key_id and aws_secret_access_key under [default].",
        examples=["/etc/opsctl/immutable.credentials"],
    )
    lock_days: int | None = Field(
        None, description="Days for which Object Lock keeps what is published from everybody.", ge=1, examples=[30]
    )
    lock_mode: Literal["compliance", "governance"] = Field(
        "compliance", description="Whether accounts with a special right may lift the lock (governance) or nobody."
    )
    timeout_s: float = Field(30, description="Seconds that the service may take to answer.", gt=0)
    off_host: bool = Field(True, description="Whether it survives the loss of the host.")


def _kind_of(given: object) -> object:
    return given.get("kind", "directory") if isinstance(given, dict) else getattr(given, "kind", None)


Repository = Annotated[
    Annotated[DirectoryRepository, Tag("directory")]
    | Annotated[SftpRepository, Tag("sftp")]
    | Annotated[S3Repository, Tag("s3")],
    Discriminator(
        _kind_of, custom_error_type="repository_kind", custom_error_message="kind is none of: directory, sftp, s3"
    ),
]


class BackupSection(Section):
    """What a backup is encrypted for, and the limits it runs under."""

    recipients: tuple[Recipient, ...] = Field(
        description="age recipients of databases, files and binary logs. Never an identity.",
        examples=[[_NOBODY]],
        min_length=1,
    )
    keys_recipients: tuple[Recipient, ...] = Field(
        description="age recipients of the keys archive: best kept by other hands.",
        examples=[[_NOBODY]],
        min_length=1,
    )
    full_every_days: int = Field(
        7, description="Days after which a full backup is due; those between are incremental.", ge=1
    )
    max_incrementals: int = Field(
        30, description="Incremental backups after which a full one is taken in any case.", ge=0
    )
    read_files_days: int = Field(
        7, description="Days after which all files are read again; between, those of unchanged times are not.", ge=1
    )
    store_files_days: int = Field(
        28, description="Days after which all files are stored again; between, only those that changed.", ge=1
    )
    compression_level: int = Field(1, description="zstd level.", ge=1, le=19)
    parallel: int = Field(2, description="Threads of mariadb-backup.", ge=1, le=64)
    stall_s: float = Field(30, description="Seconds a writer may take no bytes before the backup is stopped.", gt=0)
    timeout_s: float = Field(6 * 3600, description="Seconds after which a backup is given up.", gt=0)
    fresh_h: float = Field(26, description="Hours for which a backup counts as fresh.", gt=0)
    export_fresh_days: float = Field(8, description="Days for which a logical export counts as fresh.", gt=0)


class BinlogSection(Section):
    """How binary logs are shipped."""

    timeout_s: float = Field(600, description="Seconds after which one shipment is given up.", gt=0)
    fresh_min: float = Field(20, description="Minutes for which a shipment counts as fresh.", gt=0)


class CopySection(Section):
    """How the other repositories receive copies of the first."""

    after_backup: bool = Field(True, description="Whether a backup is copied as soon as it is taken.")
    after_shipment: bool = Field(True, description="Whether binary logs are copied as soon as they are shipped.")
    bytes_per_s: int | None = Field(
        None, description="Bytes that may go out each second; leave out for no limit.", ge=1024, examples=[4_000_000]
    )
    fresh_min: float = Field(30, description="Minutes for which a copy counts as fresh.", gt=0)


class ObjectivesSection(Section):
    """What was promised to the customer; every measurement is held against it."""

    rpo_min: float = Field(15, description="Recovery point objective: minutes of data that may be lost.", gt=0)
    rto_min: float = Field(60, description="Recovery time objective: minutes until it runs again.", gt=0)
    drill_days: int = Field(42, description="Days within which a drill has to pass.", gt=0)
