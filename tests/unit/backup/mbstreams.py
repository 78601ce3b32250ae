"""Writes mbstreams as mariadb-backup does, for tests."""

import struct
import zlib


def chunk(kind: bytes, path: str, rest: bytes = b"", *, flags: int = 0) -> bytes:
    name = path.encode()
    return b"XBSTCK01" + bytes([flags]) + kind + struct.pack("<I", len(name)) + name + rest


def payload(path: str, data: bytes, offset: int = 0) -> bytes:
    return chunk(b"P", path, struct.pack("<QQI", len(data), offset, zlib.crc32(data)) + data)


def end(path: str) -> bytes:
    return chunk(b"E", path)


def whole(path: str, data: bytes = b"x") -> bytes:
    return payload(path, data) + end(path)


def rename(path: str, new: str) -> bytes:
    return chunk(b"R", path, struct.pack("<I", len(new)) + new.encode())
