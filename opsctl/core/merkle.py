"""The Merkle tree of RFC 6962, section 2.1, over the row hashes of a log, computed as rows arrive."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Tree:
    """The right edge of a growing tree: one complete subtree for each bit of the size, so memory is logarithmic."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []

    @classmethod
    def grown(cls, size: int, edge: Iterable[bytes]) -> "Tree":
        """The tree of `size` leaves whose right edge was kept. Raises ValueError when it is no edge of such a tree."""
        tree = cls()
        tree.size, tree._edge = size, list(edge)
        if len(tree._edge) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has an edge of {size.bit_count()} nodes, not {len(tree._edge)}")
        return tree

    def append(self, row: bytes) -> None:
        """Add a leaf."""
        self.append_subtree(0, leaf_hash(row))

    def append_subtree(self, height: int, node: bytes) -> None:
        """Add a complete subtree of 2^height leaves by its root; the size must be a multiple of that."""
        size = self.size >> height
        while size & 1:
            node = node_hash(self._edge.pop(), node)
            size >>= 1
        self._edge.append(node)
        self.size += 1 << height

    @property
    def edge(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, largest first: all that is needed to go on later."""
        return tuple(self._edge)

    def root(self) -> bytes:
        """The tree's head: 32 bytes."""
        if not self._edge:
            return hashlib.sha256(b"").digest()
        node = self._edge[-1]
        for left in reversed(self._edge[:-1]):
            node = node_hash(left, node)
        return node


class Sibling(NamedTuple):
    """A node of an audit path: the leaves below it, from `first` to before `end`, and on which side it is."""

    first: int
    end: int
    is_left: bool


def siblings(index: int, size: int) -> list[Sibling]:
    """The nodes that prove leaf `index` (from 0) in a tree of `size` leaves, from the leaf up (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    found = []
    first, end = 0, size
    while end - first > 1:
        middle = first + (1 << (end - first - 1).bit_length() - 1)
        if index < middle:
            found.append(Sibling(middle, end, is_left=False))
            end = middle
        else:
            found.append(Sibling(first, middle, is_left=True))
            first = middle
    return found[::-1]


def root_from_path(row: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an audit path leads to from a leaf. Raises ValueError for a path of a wrong length."""
    places = siblings(index, size)
    if len(places) != len(path):
        raise ValueError(f"the path of leaf {index} among {size} has {len(places)} nodes, not {len(path)}")
    node = leaf_hash(row)
    for place, other in zip(places, path, strict=True):
        node = node_hash(other, node) if place.is_left else node_hash(node, other)
    return node
