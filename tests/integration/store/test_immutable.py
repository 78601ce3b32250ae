"""A host is lost, and whoever took it has deleted all that can be deleted: the locked copy restores."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError

from opsctl.overview.demo.stack import DemoStack
from tests.integration.cli.conftest import Machine
from tests.integration.store.test_commands import customer, describe
from tests.support.moto_s3 import moto_s3
from tests.support.s3server import write_credentials

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

__all__ = ["customer"]
BUCKET = "locking"


@pytest.fixture
def client() -> Iterator["S3Client"]:
    with moto_s3():
        made = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="y")
        made.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
        yield made


def delete_all_that_is_not_locked(client: "S3Client") -> tuple[int, int]:
    """Every version of every object, by whoever has all credentials there are; how many went, and how many did not."""
    deleted = refused = 0
    for page in client.get_paginator("list_object_versions").paginate(Bucket=BUCKET):
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            try:
                client.delete_object(
                    Bucket=BUCKET, Key=item["Key"], VersionId=item["VersionId"], BypassGovernanceRetention=True
                )
                deleted += 1
            except ClientError as error:
                if error.response["Error"]["Code"] != "AccessDenied":
                    raise
                refused += 1
    return deleted, refused


def test_what_is_locked_restores_when_everything_else_is_gone(
    customer: Machine, demo: DemoStack, client: "S3Client"
) -> None:
    credentials = customer.directory / "immutable.credentials"
    write_credentials(credentials, "x", "y")
    describe(customer, name="immutable", kind="s3", bucket=BUCKET, credentials_file=credentials, lock_days=30)
    for words in (("backup", "run"), ("backup", "run"), ("binlog", "ship")):
        code, document = customer.json(*words)
        assert (code, [each["outcome"] for each in document["copies"]]) == (0, ["passed"]), document
    client.put_object(Bucket=BUCKET, Key="not-locked", Body=b"x")
    deleted, refused = delete_all_that_is_not_locked(client)
    assert deleted >= 1
    assert refused > 10
    (customer.directory / "repository").rename(customer.directory / "lost")
    demo.stop()
    code, document = customer.json("drill", "run", "--repository", "immutable")
    assert code == 0, document
    assert [result["outcome"] for result in document["report"]["body"]["results"]] == ["passed"] * 8
    target = customer.directory / "restored"
    code, document = customer.json("restore", "--latest", "--repository", "immutable", "--to", str(target))
    assert code == 0, document
    assert (target / "data" / "ibdata1").is_file() or any(target.rglob("ibdata1"))
