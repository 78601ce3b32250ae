"""What an S3 service may refuse, what a network may lose, and what a store makes of it."""

import dataclasses
import socket
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.core.errors import AuthError, UnreachableError
from opsctl.core.store import DeniedError, StoreError, get, put
from opsctl.core.store.s3 import S3Store
from opsctl.core.store.s3_connection import S3Bucket
from tests.support.relay import Relay, relay_to
from tests.support.s3server import SECRET, STRANGER, STRANGERS_SECRET, USER, S3Server, write_credentials

DATA = bytes(range(251)) * 20_000

ACTIONS: dict[str, Callable[[S3Store], object]] = {
    "stat": lambda store: store.stat("acme/one"),
    "open": lambda store: store.open("acme/one"),
    "list": lambda store: list(store.list("")),
    "create": lambda store: put(store, "acme/two", b"2"),
    "delete": lambda store: store.delete("acme/one"),
    "clear up": lambda store: store.remove_partials("", older_than=datetime.now(UTC)),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_wrong_secret_is_told_and_never_shown(s3_bucket: S3Bucket, tmp_path: Path, action: str) -> None:
    write_credentials(tmp_path / "wrong", USER, "not-the-secret-at-all")
    store = S3Store(dataclasses.replace(s3_bucket, credentials_file=tmp_path / "wrong"))
    with pytest.raises((AuthError, DeniedError)) as caught:  # a HEAD has no body that would say which
        ACTIONS[action](store)
    assert int(caught.value.exit_code) == 5
    assert "not-the-secret-at-all" not in "".join(traceback.format_exception(caught.value))
    store.close()


@pytest.mark.parametrize("action", ACTIONS)
def test_an_account_without_rights_is_denied(s3_server: S3Server, s3_bucket: S3Bucket, action: str) -> None:
    file = s3_server.credentials(STRANGER, STRANGERS_SECRET)
    store = S3Store(dataclasses.replace(s3_bucket, credentials_file=file))
    with pytest.raises(DeniedError):
        ACTIONS[action](store)
    store.close()


@pytest.mark.parametrize("action", ["open", "list", "create", "clear up"])
def test_a_bucket_that_is_not_there_is_no_empty_repository(s3_bucket: S3Bucket, action: str) -> None:
    store = S3Store(dataclasses.replace(s3_bucket, bucket="another-bucket"))
    with pytest.raises(StoreError, match="another-bucket"):
        ACTIONS[action](store)
    store.close()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "top secret words\n",
        "[default]\naws_access_key_id = x\n",
        "[default\nsecret",
        "aws_secret_access_key = s3cret",
    ],
)
def test_credentials_that_are_not_understood_are_not_repeated(
    s3_bucket: S3Bucket, tmp_path: Path, content: str
) -> None:
    (tmp_path / "credentials").write_text(content)
    store = S3Store(dataclasses.replace(s3_bucket, credentials_file=tmp_path / "credentials"))
    with pytest.raises(AuthError) as caught:
        store.stat("x")
    said = "".join(traceback.format_exception(caught.value))
    assert "secret words" not in said
    assert "s3cret" not in said


def test_credentials_that_are_not_there_are_named(s3_bucket: S3Bucket, tmp_path: Path) -> None:
    store = S3Store(dataclasses.replace(s3_bucket, credentials_file=tmp_path / "nowhere"))
    with pytest.raises(AuthError) as caught:
        store.stat("x")
    assert caught.value.where == str(tmp_path / "nowhere")


def test_nothing_is_taken_from_the_environment_or_a_home_directory(
    s3_bucket: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[default]\nregion = mars-1\nendpoint_url = http://127.0.0.1:1\n")
    for name, value in {
        "AWS_PROFILE": "nobody",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    store = S3Store(s3_bucket)
    put(store, "acme/one", b"1")
    assert get(store, "acme/one") == b"1"
    store.close()


def test_a_port_where_nobody_listens_is_unreachable(s3_bucket: S3Bucket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = S3Store(dataclasses.replace(s3_bucket, endpoint=f"http://127.0.0.1:{port}", attempts=1))
    with pytest.raises(UnreachableError):
        store.stat("x")
    store.close()


def test_a_service_that_does_not_answer_is_given_up(s3_bucket: S3Bucket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = S3Store(dataclasses.replace(s3_bucket, endpoint=endpoint, attempts=1, timeout_s=0.5))
        with pytest.raises(UnreachableError):
            store.stat("x")
        store.close()


def test_listing_goes_beyond_the_first_page(s3_server: S3Server, s3_bucket: S3Bucket, s3_store: S3Store) -> None:
    keys = [f"acme/{number:02}" for number in range(12)]  # the server gives 5 at a time
    for key in keys:
        s3_server.client.put_object(Bucket=s3_bucket.bucket, Key=key, Body=b"x")
    assert [item.key for item in s3_store.list("acme/")] == keys


def test_what_others_keep_in_the_bucket_is_neither_listed_nor_touched(s3_server: S3Server, s3_bucket: S3Bucket) -> None:
    for name in ("other/x", "ours-not/x", "ours/", "ours/.hidden", "ours/a b"):
        s3_server.client.put_object(Bucket=s3_bucket.bucket, Key=name, Body=b"x")
    store = S3Store(dataclasses.replace(s3_bucket, prefix="ours"))
    put(store, "acme/one", b"1")
    assert [item.key for item in store.list("")] == ["acme/one"]
    assert s3_server.client.head_object(Bucket=s3_bucket.bucket, Key="ours/acme/one")["ContentLength"] == 1
    store.close()


def test_a_bucket_that_cannot_lock_refuses_a_lock(s3_store: S3Store) -> None:
    with pytest.raises(DeniedError, match="cannot lock"):
        s3_store.create("locked", retain_until=datetime(2099, 1, 1, tzinfo=UTC))


@pytest.fixture
def relay(s3_server: S3Server) -> Iterator[Relay]:
    with relay_to(s3_server.port) as relay:
        yield relay


@pytest.fixture
def relayed(s3_bucket: S3Bucket, relay: Relay) -> S3Bucket:
    return dataclasses.replace(s3_bucket, endpoint=f"http://127.0.0.1:{relay.port}")


def test_a_reader_goes_on_where_its_connection_was_lost(relayed: S3Bucket, relay: Relay) -> None:
    store = S3Store(relayed, waits_s=(0, 0))
    put(store, "acme/one", DATA)
    relay.cut("answers", after=1_000_000)
    relay.cut("answers", after=500_000)
    with store.open("acme/one", offset=10) as stream:
        assert stream.read() == DATA[10:]
    assert not relay.armed
    store.close()


def test_a_reader_that_cannot_go_on_says_so(relayed: S3Bucket, relay: Relay) -> None:
    store = S3Store(relayed, waits_s=())
    put(store, "acme/one", DATA)
    relay.cut("answers", after=1_000_000)
    with store.open("acme/one") as stream, pytest.raises(UnreachableError):
        stream.read()
    store.close()


def test_an_object_that_was_exchanged_while_it_was_read_is_not_put_together_from_two(
    s3_server: S3Server, relayed: S3Bucket, relay: Relay
) -> None:
    store = S3Store(relayed, waits_s=(0,))
    put(store, "acme/one", DATA)
    relay.cut("answers", after=1_000_000)
    with store.open("acme/one") as stream:
        s3_server.client.put_object(Bucket=relayed.bucket, Key="acme/one", Body=DATA[::-1])
        with pytest.raises(StoreError, match="changed while it was read"):
            stream.read()
    store.close()


def test_the_secret_is_in_no_representation(s3_store: S3Store, s3_bucket: S3Bucket) -> None:
    put(s3_store, "acme/one", b"1")
    assert SECRET not in repr((s3_bucket, vars(s3_store)))
