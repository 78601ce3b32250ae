"""Audit paths of RFC 6962, and trees that go on from their edge or grow by whole subtrees."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.core.merkle import Tree, leaf_hash, node_hash, root_from_path, siblings


def row(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def tree(first: int, end: int) -> Tree:
    found = Tree()
    for number in range(first, end):
        found.append(row(number))
    return found


SIZES = st.integers(1, 300)


@given(size=SIZES, data=st.data())
def test_every_leaf_is_proven_by_its_path(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = [tree(place.first, place.end).root() for place in siblings(index, size)]
    root = tree(0, size).root()
    assert root_from_path(row(index), index, size, path) == root
    assert root_from_path(row(size), index, size, path) != root
    if path:
        with pytest.raises(ValueError, match="nodes"):
            root_from_path(row(index), index, size, path[:-1])
        assert root_from_path(row(index), index, size, [*path[:-1], row(0)]) != root


def test_the_path_of_the_rfc() -> None:
    """RFC 6962, 2.1.3: the path of d3 among seven leaves is [c, g, l]; of d6 it is [i, k]."""
    assert [(place.first, place.end) for place in siblings(3, 7)] == [(2, 3), (0, 2), (4, 7)]
    assert [(place.first, place.end) for place in siblings(6, 7)] == [(4, 6), (0, 4)]


def test_no_path_leads_to_a_leaf_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        siblings(3, 3)


@given(size=SIZES, more=SIZES)
def test_a_tree_goes_on_from_its_edge(size: int, more: int) -> None:
    kept = tree(0, size)
    grown = Tree.grown(size, kept.edge)
    for number in range(size, size + more):
        grown.append(row(number))
    assert grown.root() == tree(0, size + more).root()


def test_an_edge_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="edge"):
        Tree.grown(4, tree(0, 3).edge)


@given(blocks=st.integers(0, 5), height=st.integers(0, 4), rest=st.integers(0, 15))
def test_a_tree_grows_by_whole_subtrees(blocks: int, height: int, rest: int) -> None:
    grown = Tree()
    for block in range(blocks):
        nodes = [leaf_hash(row(number)) for number in range(block << height, (block + 1) << height)]
        while len(nodes) > 1:
            nodes = [node_hash(nodes[i], nodes[i + 1]) for i in range(0, len(nodes), 2)]
        grown.append_subtree(height, nodes[0])
    for number in range(blocks << height, (blocks << height) + rest):
        grown.append(row(number))
    assert grown.root() == tree(0, (blocks << height) + rest).root()
