"""Progress on a terminal: what was done, with its size and duration, and what is being done now."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from opsctl.cli.words import seconds, size


class _Figures(ProgressColumn):
    """Bytes so far, rate, and time elapsed, as far as they say something."""

    def render(self, task: Task) -> Text:
        """Write them in one line."""
        elapsed = task.elapsed or 0.0
        words = [seconds(elapsed)]
        if task.completed:
            rate = task.completed / elapsed if elapsed > 0.5 else 0.0
            words = [size(int(task.completed)), *([f"{size(int(rate))}/s"] if rate else []), *words]
        return Text("  ".join(words), style="cyan")


class _Bar(BarColumn):
    """A bar, for steps whose size is known."""

    def render(self, task: Task) -> Text:  # type: ignore[override]
        """Draw it, or nothing."""
        return super().render(task) if task.total else Text("")  # type: ignore[return-value]


class TerminalProgress:
    """Implements Progress on standard error with rich."""

    def __init__(self, *, color: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = Console(stderr=True, no_color=not color, highlight=False)
        self._drawn = Progress(
            SpinnerColumn("dots"),
            TextColumn("{task.description}"),
            _Bar(bar_width=20),
            _Figures(),
            console=self._console,
            transient=True,
        )
        self._clock = clock
        self._task: Task | None = None
        self._began = 0.0

    def step(self, title: str, *, total_bytes: int | None = None) -> None:
        """Tick off the step before, begin the next."""
        self._finish("[green]✓[/]")
        self._drawn.start()
        self._began = self._clock()
        number = self._drawn.add_task(escape(title[:1].upper() + title[1:]), total=total_bytes or None)
        self._task = next(task for task in self._drawn.tasks if task.id == number)

    def advance(self, count: int) -> None:
        """Count bytes."""
        task = self._task
        if task is not None:
            self._drawn.advance(task.id, count)

    def note(self, text: str) -> None:
        """Say one line."""
        self._console.print(text, markup=False)

    def close(self, *, failed: bool) -> None:
        """Tick off the last step, as failed or done, and leave the terminal as it was."""
        self._finish("[red]✗[/]" if failed else "[green]✓[/]")
        self._drawn.stop()

    def _finish(self, mark: str) -> None:
        task, self._task = self._task, None
        if task is None:
            return
        self._drawn.remove_task(task.id)
        words = [size(int(task.completed))] if task.completed else []
        words.append(seconds(self._clock() - self._began))
        self._console.print(f"{mark} {task.description}  [cyan]{'  '.join(words)}[/]")
