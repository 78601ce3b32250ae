"""Key files of file_key_management, opened and sealed again as `openssl enc -aes-256-cbc -md sha1` does."""

import hashlib
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_HEAD = b"Salted__"


def read_keys(key_file: Path, filekey_file: Path) -> list[str]:
    """The lines `id;hexadecimal key` of an encrypted key file."""
    data = key_file.read_bytes()
    key, iv = _derive(filekey_file.read_bytes().strip(), data[8:16])
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    plain = unpadder.update(decryptor.update(data[16:]) + decryptor.finalize()) + unpadder.finalize()
    return plain.decode().splitlines()


def write_keys(key_file: Path, filekey_file: Path, lines: list[str]) -> None:
    """Write other lines under the same password."""
    salt = secrets.token_bytes(8)
    key, iv = _derive(filekey_file.read_bytes().strip(), salt)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padder = padding.PKCS7(128).padder()
    plain = padder.update("".join(f"{line}\n" for line in lines).encode()) + padder.finalize()
    key_file.write_bytes(_HEAD + salt + encryptor.update(plain) + encryptor.finalize())


def _derive(password: bytes, salt: bytes) -> tuple[bytes, bytes]:
    derived = block = b""
    while len(derived) < 48:
        block = hashlib.sha1(block + password + salt, usedforsecurity=False).digest()
        derived += block
    return derived[:32], derived[32:48]
