"""Canonical JSON and versioned documents."""

import pytest
from pydantic import BaseModel

from opsctl.core.canonical import canonical, parse_versioned
from opsctl.core.errors import IntegrityError


class Document(BaseModel):
    version: int
    name: str


def test_one_value_has_one_spelling() -> None:
    assert canonical(Document(version=1, name="é\n")) == '{"name":"é\\n","version":1}'.encode()


def test_a_document_reads_back() -> None:
    assert parse_versioned(Document, b'{"version":1,"name":"x"}', what="d", version=1).name == "x"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'{"version":2,"name":"x","new":1}', "d has version 2; this opsctl knows version 1"),
        (b'{"version":1}', "d is not of its form: name"),
        (b'{"name":"x"}', "no versioned JSON document"),
        (b"[1]", "no versioned JSON document"),
        (b"\xff\xfe", "no versioned JSON document"),
    ],
)
def test_what_is_not_understood_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(IntegrityError, match=says):
        parse_versioned(Document, data, what="d", version=1)
