"""Signs of life for what watches from outside: a Prometheus textfile, and one line of JSON."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from opsctl.core.durable import locked_directory, unwritable

_MODE = 0o644


@dataclass(frozen=True)
class Gauge:
    """One metric: its name, what it means, and a value for each set of labels."""

    name: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def write_textfile(directory: Path, name: str, gauges: Sequence[Gauge]) -> None:
    """Write `name`.prom for node_exporter's textfile collector, whole or not at all. Raises OpsError.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    lines: list[str] = []
    for gauge in gauges:
        lines += [f"# HELP {gauge.name} {_escape(gauge.help)}", f"# TYPE {gauge.name} gauge"]
        lines += [f"{gauge.name}{_labels(labels)} {value:.15g}" for labels, value in gauge.samples]
    _publish(directory / f"{name}.prom", "\n".join(lines) + "\n")


def write_line(path: Path, document: BaseModel) -> None:
    """Write a document as one line of JSON, whole or not at all. Raises OpsError."""
    _publish(path, document.model_dump_json() + "\n")


def _publish(path: Path, text: str) -> None:
    """The name it has meanwhile does not end in .prom: the collector reads whatever does."""
    fresh = path.with_name(f".{path.name}.tmp")
    try:
        with locked_directory(path.parent):
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(descriptor, _MODE)
                file.write(text)
            fresh.replace(path)
    except OSError as error:
        raise unwritable(error, path) from error


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    inside = ",".join(f'{name}="{_escape(value, quotes=True)}"' for name, value in labels.items())
    return "{" + inside + "}"


def _escape(text: str, *, quotes: bool = False) -> str:
    plain = text.replace("\\", "\\\\").replace("\n", "\\n")
    return plain.replace('"', '\\"') if quotes else plain
