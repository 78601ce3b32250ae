"""The published schemas of --json answers are those of the code."""

from pathlib import Path

from opsctl.cli.schemas import documents, file_name, schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "schemas"


def ours() -> dict[str, str]:
    return {file_name(kind): schema(kind) for kind in documents() if kind.__module__.startswith("opsctl.")}


def test_the_published_schemas_are_fresh() -> None:
    published = {path.name: path.read_text() for path in PUBLISHED.iterdir()}
    assert published == ours(), "run: python -m opsctl.cli.schemas docs/schemas"


def test_every_kind_is_versioned_and_named_once() -> None:
    names = [file_name(kind) for kind in documents() if kind.__module__.startswith("opsctl.")]
    assert len(names) == len(set(names))
