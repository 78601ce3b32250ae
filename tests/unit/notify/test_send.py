"""What is said about an address never has a part of it that could be a secret."""

import pytest
from pydantic import SecretStr

from opsctl.core.errors import OpsError
from opsctl.core.notify.send import MASK, masked, ping


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mailtos://me:pass%40word@mail.example?to=op", "535 me pass@word refused"),
        ("jsons://hooks.example/services/T000/B000/XXXX", "POST /services/T000/B000/XXXX answered 404"),
        ("ntfys://tk_abcd@ntfy.example/alerts", "no topic alerts for tk_abcd"),
        ("https://hc.example/ping/9f3c-77/{job}?rid=1234abcd", "connection to /ping/9f3c-77/backup?rid=1234abcd"),
    ],
)
def test_every_part_is_masked(url: str, said: str) -> None:
    shown = masked(said, SecretStr(url))
    assert MASK in shown
    for secret in ("pass@word", "pass", "T000", "B000", "XXXX", "tk_abcd", "alerts", "9f3c", "1234abcd"):
        assert secret not in shown


def test_the_reason_stays_readable() -> None:
    assert masked("error=401: Unauthorized", SecretStr("json://u:longsecret@h")) == "error=401: Unauthorized"


def test_a_ping_goes_nowhere_but_to_the_web() -> None:
    with pytest.raises(OpsError, match="https"):
        ping(SecretStr("file:///etc/passwd"), text="", timeout_s=5)
