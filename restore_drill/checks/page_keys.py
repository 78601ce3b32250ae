"""Whether a key file opens the tablespaces of a restored datadir, told without a server.

The server calls a table "corrupted", and a log record "malformed", whether the bytes or the key are wrong. Here the
root page of a table is decrypted with the restored key: every such page holds the word "infimum" at its beginning.
Formats: storage/innobase/fil/fil0crypt.cc (fil_space_crypt_t::write_page0, fil_encrypt_buf_for_full_crc32), sql/
encryption.cc (scheme_get_key, do_crypt), and
https://mariadb.com/kb/en/file-key-management-encryption-plugin/ ("Encrypting the Key File").
"""

import hashlib
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_MAGIC = b"s\x0e\x0cREt"
_CRYPT_SCHEME = 1
_ROOT_PAGE = 3
_FLAGS = 54  # FSP_SPACE_FLAGS of page 0
_FULL_CRC32 = 0x10
_BEGINNING = 128
_ROW_MARK = b"infimum"
_SALTED = b"Salted__"
_LINE = re.compile(rb"\s*(\d+);([0-9a-fA-F]{32}|[0-9a-fA-F]{48}|[0-9a-fA-F]{64})\s*(?:#.*)?")


@dataclass(frozen=True)
class Tablespace:
    """An encrypted tablespace: its file, its table's path in the datadir, its key's id, the IV of its own key, its
    number, the offset (bytes) from which pages are encrypted, and its root page."""

    file: Path
    path: str
    key_id: int
    iv: bytes
    number: int
    encrypted_from: int
    root: bytes

    @property
    def is_blank(self) -> bool:
        """Whether its root page is nothing but zeros."""
        return not any(self.root)

    def opens_with(self, key: bytes) -> bool:
        """Whether the key turns the root page into one, by either cipher of file_key_management."""
        own = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(self.iv)  # noqa: S305 - the format's
        page, lsn = struct.unpack_from(">I", self.root, 4)[0], struct.unpack_from(">Q", self.root, 16)[0]
        nonce = struct.pack("<IIQ", self.number, page, lsn)
        beginning = self.root[self.encrypted_from : self.encrypted_from + _BEGINNING]
        return any(
            _ROW_MARK in Cipher(algorithms.AES(own), mode).decryptor().update(beginning)
            for mode in (modes.CTR(nonce), modes.CBC(nonce))
        )


def tablespaces(data: Path, page_size: int) -> Iterator[Tablespace]:
    """The encrypted tablespaces of a datadir, of tables in files of their own. `page_size` is in bytes.

    Before prepare, those that were made or rebuilt during the backup end in `.new`.
    """
    for file in sorted((*data.glob("*/*.ibd"), *data.glob("*/*.new"))):
        if file.is_symlink() or file.parent.is_symlink():
            continue
        with file.open("rb") as pages:
            first = pages.read(page_size)
            pages.seek(_ROOT_PAGE * page_size)
            root = pages.read(page_size)
        start = first.find(_MAGIC)
        if start < 0 or len(first) < start + 64 or len(root) < page_size:
            continue
        scheme, length = first[start + 6], first[start + 7]
        version, key_id = struct.unpack_from(">II", first, start + 8 + length)
        if scheme == _CRYPT_SCHEME and version > 0:
            number, flags = struct.unpack_from(">I", first, 34)[0], struct.unpack_from(">I", first, _FLAGS)[0]
            yield Tablespace(
                file=file,
                path=str(file.relative_to(data).with_suffix("")),
                key_id=key_id,
                iv=first[start + 8 : start + 8 + length],
                number=number,
                encrypted_from=26 if flags & _FULL_CRC32 else 38,
                root=root,
            )


def read_key_file(key_file: Path, filekey_file: Path | None) -> Mapping[int, bytes]:
    """The keys in a key file by their ids, version 1 of each; empty when it does not open or holds none."""
    data = key_file.read_bytes()
    if data.startswith(_SALTED):
        data = _open(data, filekey_file.read_bytes().rstrip(b"\r\n")) if filekey_file else b""
    lines = (_LINE.fullmatch(line) for line in data.splitlines())
    return {int(line[1]): bytes.fromhex(line[2].decode()) for line in lines if line}


def _open(data: bytes, password: bytes) -> bytes:
    derived = block = b""
    while len(derived) < 48:
        block = hashlib.sha1(block + password + data[8:16], usedforsecurity=False).digest()
        derived += block
    sealed = data[16 : len(data) - len(data) % 16]
    plain = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48])).decryptor().update(sealed)
    return plain[: -plain[-1]] if plain and plain[-1] <= 16 else plain
