"""How long the program takes to say its version and its help."""

import subprocess
import sys
from pathlib import Path

from benchmarks.harness import compare, show

OPSCTL = Path(sys.executable).parent / "opsctl"
EMPTY_APP = """
import typer
app = typer.Typer()
@app.command()
def main() -> None: ...
app()
"""


def quiet(*words: str | Path) -> None:
    """Run a program and throw its output away."""
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    """Compare with importing Typer alone, and with the help of an application that has nothing in it."""
    python = sys.executable
    figures = compare(
        {"python -c 'import typer'": lambda: quiet(python, "-c", "import typer"), "opsctl --version": version},
        rounds=15,
    )
    show("opsctl --version", figures, "aim at 1.3")
    figures = compare(
        {
            "--help of an empty Typer application": lambda: quiet(python, "-c", EMPTY_APP, "--help"),
            "opsctl --help": helps,
        },
        rounds=15,
    )
    show("opsctl --help", figures, "aim at 1.5")


def version() -> None:
    """Ask for the version."""
    quiet(OPSCTL, "--version")


def helps() -> None:
    """Ask for help."""
    quiet(OPSCTL, "--help")
