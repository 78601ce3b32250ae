"""Key files of file_key_management, opened and sealed again as `openssl enc -aes-256-cbc -md sha1` does.

Source: https://mariadb.com/kb/en/file-key-management-encryption-plugin/ ("Encrypting the Key File").
"""

import hashlib
import re
import secrets
from collections.abc import Callable

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_SALTED = b"Salted__"
_KEY = re.compile(r"^(\s*\d+;)([0-9a-fA-F]+)")

Lines = list[str]


def edit(key_file: bytes, filekey: bytes | None, change: Callable[[Lines], Lines]) -> bytes:
    """Change the lines `id;hexadecimal key` of a key file; it is sealed again if it was."""
    if not key_file.startswith(_SALTED):
        return _text(change(key_file.decode().splitlines()))
    password = (filekey or b"").rstrip(b"\r\n")
    cipher, unpadder = _cipher(password, key_file[8:16]).decryptor(), padding.PKCS7(128).unpadder()
    plain = unpadder.update(cipher.update(key_file[16:]) + cipher.finalize()) + unpadder.finalize()
    salt = secrets.token_bytes(8)
    seal, padder = _cipher(password, salt).encryptor(), padding.PKCS7(128).padder()
    changed = padder.update(_text(change(plain.decode().splitlines()))) + padder.finalize()
    return _SALTED + salt + seal.update(changed) + seal.finalize()


def with_other_keys(lines: Lines) -> Lines:
    """The same ids, each with a new key of the same length."""
    return [_KEY.sub(lambda found: found[1] + secrets.token_hex(len(found[2]) // 2), line) for line in lines]


def without_key(key_id: int) -> Callable[[Lines], Lines]:
    """All lines but those of one id."""
    return lambda lines: [line for line in lines if line.partition(";")[0].strip() != str(key_id)]


def _text(lines: Lines) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _cipher(password: bytes, salt: bytes) -> Cipher[modes.CBC]:
    derived = block = b""
    while len(derived) < 48:
        block = hashlib.sha1(block + password + salt, usedforsecurity=False).digest()
        derived += block
    return Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48]))
