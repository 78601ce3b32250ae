"""First versions: what counts in a bucket that keeps versions, as every bucket with Object Lock does.

There, whoever may write can lay a new version or a delete marker over an object, locked or not. The first version stays
below it, and a lock keeps it there; so that is the object, and nothing that comes later changes what is read.
"""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from opsctl.core.store.s3_connection import code_of

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import ObjectVersionTypeDef


def keeps_versions(client: "S3Client", bucket: str) -> bool:
    """Whether a bucket keeps, or once kept, versions. Raises what the client raises."""
    try:
        return bool(client.get_bucket_versioning(Bucket=bucket).get("Status"))
    except ClientError as error:
        if code_of(error) == "NotImplemented":
            return False
        raise


def first_version(client: "S3Client", bucket: str, name: str) -> "ObjectVersionTypeDef | None":
    """The first version of an object, None when it has none. Raises what the client raises."""
    return next(_firsts(versions(client, bucket, name)), None)


def first_versions(client: "S3Client", bucket: str, prefix: str) -> "Iterator[ObjectVersionTypeDef]":
    """The first version of every object whose name begins with a prefix, in the order of their names."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
    return _firsts(item for page in pages for item in page.get("Versions", ()))


def versions(client: "S3Client", bucket: str, name: str) -> "Iterator[ObjectVersionTypeDef]":
    """All versions of an object, the last one first."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=name)
    found = (item for page in pages for item in page.get("Versions", ()))
    return itertools.takewhile(lambda item: item["Key"] == name, found)  # in order: the name itself comes first


def markers(client: "S3Client", bucket: str, name: str) -> Iterator[str]:
    """The ids of all delete markers of an object."""
    pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=name)
    found = (item for page in pages for item in page.get("DeleteMarkers", ()))
    return (item["VersionId"] for item in itertools.takewhile(lambda item: item["Key"] == name, found))


def _firsts(found: "Iterator[ObjectVersionTypeDef]") -> "Iterator[ObjectVersionTypeDef]":
    for _, group in itertools.groupby(found, key=lambda item: item["Key"]):
        # The last one listed is the first one written, also among several of one moment.
        yield min(reversed(list(group)), key=lambda item: item["LastModified"])
