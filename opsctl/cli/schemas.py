"""The published JSON schemas of what `--json` answers: `python -m opsctl.cli.schemas docs/schemas` writes them."""

import importlib
import json
import pkgutil
import sys
from pathlib import Path

import opsctl.cli.session  # noqa: F401 - it has the kind of errors
from opsctl.cli import views
from opsctl.cli.output import Document


def documents() -> list[type[Document]]:
    """Every kind of answer."""
    for module in pkgutil.iter_modules(views.__path__, f"{views.__name__}."):
        importlib.import_module(module.name)
    return sorted(Document.__subclasses__(), key=file_name)


def file_name(document: type[Document]) -> str:
    """The name of a kind's schema."""
    return f"{document.model_fields['kind'].default}.v1.json"


def schema(document: type[Document]) -> str:
    """A kind's schema as text."""
    return json.dumps(document.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False) + "\n"


def write(directory: Path) -> None:
    """Write all schemas."""
    directory.mkdir(parents=True, exist_ok=True)
    for document in documents():
        (directory / file_name(document)).write_text(schema(document))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
