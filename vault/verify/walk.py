"""Walks the log block by block, in several processes if asked to, and joins what they found."""

import contextlib
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from opsctl.core.chain import ZERO, Break
from opsctl.core.mariadb.connect import Connection
from opsctl.core.merkle import Tree
from opsctl.core.progress import Progress
from vault.verify.block import BLOCK, BlockChecker, Checked, grow
from vault.verify.rows import prepare, read_range

# The first and the last row of a block, and the sizes within it for which there are checkpoints.
Task = tuple[int, int, tuple[int, ...]]


Connect = Callable[[], contextlib.AbstractContextManager[Connection]]


@dataclass(frozen=True)
class Log:
    """A log in a database: its id (16 bytes), and how to connect to the database as somebody who may read it.

    `ended`: it is one that another has replaced, in the table of those.
    """

    id: bytes
    connect: Connect
    ended: bool = False


@dataclass
class Walked:
    """The log as far as it was walked: its tree, the hash of its last row, the roots at sizes that were asked for."""

    tree: Tree = field(default_factory=Tree)
    last: bytes = ZERO
    roots: dict[int, bytes] = field(default_factory=dict)
    broken: Break | None = None

    def join(self, block: Checked) -> None:
        """Go on by one block."""
        first = self.tree.size + 1
        if block.count and block.before != self.last:
            self.broken = Break(first, f"row {first} names another row before it than the one that is there")
            return
        for mark, nodes in block.marks.items():
            until = Tree.grown(self.tree.size, self.tree.edge)
            grow(until, nodes)
            self.roots[mark] = until.root()
        grow(self.tree, block.nodes)
        self.last = block.last if block.count else self.last
        self.broken = block.broken


def walk(
    log: Log, last: int, marks: Sequence[int], *, start: Walked | None = None, parallel: int = 1, progress: Progress
) -> Walked:
    """Check rows up to `last`, from the beginning or from where `start` ended, and compute the roots at `marks`.

    Stops at the first break. Memory does not grow with the log: each process holds one block. More than one process
    need a `connect` that pickle can take.
    """
    walked = start or Walked()
    if walked.tree.size in marks:
        walked.roots[walked.tree.size] = walked.tree.root()
    ranges = list_blocks(walked.tree.size + 1, last)
    tasks = ((first, end, tuple(mark for mark in marks if first <= mark <= end)) for first, end in ranges)
    with contextlib.ExitStack() as stack:
        for expected, block in _results(stack, log, tasks, parallel):
            walked.join(block)
            progress.advance(block.count)
            if walked.broken is None and walked.tree.size < expected:
                missing = walked.tree.size + 1
                walked.broken = Break(missing, f"row {missing} is missing")
            if walked.broken is not None:
                break
    return walked


def list_blocks(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Ranges that end where complete subtrees end."""
    while first <= last:
        end = min(last, (first - 1) // BLOCK * BLOCK + BLOCK)
        yield first, end
        first = end + 1


def _results(
    stack: contextlib.ExitStack, log: Log, tasks: Iterator[Task], parallel: int
) -> Iterator[tuple[int, Checked]]:
    """Every block's last row and what it came to, in order; few are under way at once."""
    if parallel == 1:
        with Worker(log) as worker:
            for task in tasks:
                yield task[1], worker.check(*task)
        return
    pool = ProcessPoolExecutor(parallel, get_context("spawn"), _start, (log,))
    stack.callback(pool.shutdown, wait=True, cancel_futures=True)
    waiting: deque[tuple[int, Future[Checked]]] = deque()
    for task in tasks:
        waiting.append((task[1], pool.submit(_check, *task)))
        if len(waiting) > 2 * parallel:
            end, future = waiting.popleft()
            yield end, future.result()
    for end, future in waiting:
        yield end, future.result()


class Worker:
    """A connection that checks blocks."""

    def __init__(self, log: Log) -> None:
        self._stack = contextlib.ExitStack()
        self._log = log

    def __enter__(self) -> "Worker":
        self._connection = self._stack.enter_context(self._log.connect())
        prepare(self._connection)
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def check(self, first: int, last: int, marks: tuple[int, ...]) -> Checked:
        """Check one block; before one is called broken, its rows are read sorted."""
        found = self._check(first, last, marks, sort=False)
        return found if found.broken is None else self._check(first, last, marks, sort=True)

    def _check(self, first: int, last: int, marks: tuple[int, ...], *, sort: bool) -> Checked:
        checker = BlockChecker(self._log.id, first, marks)
        archive = self._log.id if self._log.ended else None
        for data in read_range(self._connection, first, last, archive=archive, sort=sort):
            checker.feed(data)
            if checker.broken is not None:
                break
        return checker.result()


_worker: list[Worker] = []


def _start(log: Log) -> None:
    """Begin a process: it connects by itself, and leaves Ctrl-C to the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _worker.append(Worker(log).__enter__())


def _check(first: int, last: int, marks: tuple[int, ...]) -> Checked:
    return _worker[0].check(first, last, marks)
