"""Checks a proof of a row of an audit log without opsctl: python3 check_proof.py PROOF.json ALLOWED_SIGNERS

It needs Python 3.9 or newer and ssh-keygen, and no network. It ends with 0 only when the row is in the log that the
checkpoint states (RFC 6962) and somebody in the ALLOWED_SIGNERS file (see ssh-keygen(1)) has signed the checkpoint.
"""

import base64
import hashlib
import json
import os
import sys
import tempfile


def sha256(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()


def u64(number: int) -> bytes:
    """Eight bytes, big-endian."""
    return number.to_bytes(8, "big")


def root_of(leaf: bytes, index: int, size: int, path: "list[bytes]") -> bytes:
    """The root that a path leads to (RFC 9162, 2.1.3.2)."""
    node, last = leaf, size - 1
    for other in path:
        if last == 0:
            sys.exit("this is no proof: its path is too long")
        if index & 1 or index == last:
            node = sha256(b"\x01" + other + node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01" + node + other)
        index, last = index >> 1, last >> 1
    if last:
        sys.exit("this is no proof: its path is too short")
    return node


def main() -> None:
    """Check the proof; ssh-keygen has the last word."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        proof = json.load(file)
    note = proof["note"]
    origin, size, root = note.split("\n")[:3]
    log_id, payload = bytes.fromhex(proof["log_id"]), base64.b64decode(proof["payload"])
    head = b"opsctl-chain-v1" + log_id + u64(proof["seq"]) + bytes.fromhex(proof["prev_hash"])
    row = sha256(head + u64(len(payload)) + payload)
    path = [bytes.fromhex(node) for node in proof["path"]]
    found = root_of(sha256(b"\x00" + row), proof["seq"] - 1, int(size), path)
    if not 1 <= proof["seq"] <= int(size) or found != base64.b64decode(root) or not origin.endswith(log_id.hex()):
        sys.exit("this proves nothing: the row is not in the log that the checkpoint states")
    sys.stdout.write(f"row {proof['seq']} of {origin}, which had {size} rows:\n{payload.decode(errors='replace')}\n")
    sys.stdout.write("its checkpoint: ")
    sys.stdout.flush()
    verify_signature(note, proof["signature"], sys.argv[2])


def verify_signature(note: str, signature: str, allowed: str) -> None:
    """Let ssh-keygen say whether the checkpoint is signed by somebody allowed, at the checkpoint's own time."""
    stamp = note.split("\ntime ")[1].split("\n", maxsplit=1)[0]
    digits = "".join(character for character in stamp.split(".")[0] if character.isdigit())[:14]
    signer = note.split("\u2014 ")[1].split(" ", maxsplit=1)[0]
    with tempfile.NamedTemporaryFile("w", suffix=".sig", encoding="utf-8") as file, tempfile.TemporaryFile() as text:
        file.write(signature)
        file.flush()
        text.write(note.encode())
        text.seek(0)
        os.dup2(text.fileno(), 0)
        words = ["-Y", "verify", "-f", allowed, "-I", signer, "-n", "opsctl-checkpoint", "-s", file.name]
        words.append(f"-Overify-time={digits}Z")
        sys.exit(os.spawnvp(os.P_WAIT, "ssh-keygen", ["ssh-keygen", *words]))  # noqa: S606 - stock program, no shell


if __name__ == "__main__":
    main()
