"""`opsctl demo`: the main job end to end on a throwaway customer."""

from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.output import Answer
from opsctl.cli.session import Session, command, new_app
from opsctl.cli.views import demo as view
from opsctl.overview.demo_run import remove_demo, run_demo

app = new_app()


@command(app, "demo")
def demo(
    session: Session,
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything there, to play with.")] = False,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Where; empty or absent (default: a new one in /tmp).")
    ] = None,
    remove: Annotated[
        Path | None, typer.Option("--remove", metavar="DIR", help="Remove a demo that was kept; does nothing else.")
    ] = None,
) -> Answer:
    """Make a throwaway customer, back it up, work on, ship, and drill: all of it real, in under two minutes.

    Needs MariaDB, WordPress, nginx and php as Debian has them; nothing of this machine's own is touched.
    """
    if remove is not None:
        remove_demo(remove.absolute())
        removed = view.DemoRemoved(directory=remove.absolute())
        return Answer(removed, lambda paint: [f"{removed.directory} was removed."], report=True)
    done = run_demo(directory=directory.absolute() if directory else None, keep=keep, progress=session.progress)
    document = view.document_of(done)
    return Answer(document, lambda paint: view.text(document, paint), document.drill.body.exit_code)
