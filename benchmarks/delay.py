"""A way to a host that takes longer: a proxy that holds back what passes, and counts how often the two sides alternate.

It stands in for netem, a module that the kernels of containers and small machines often lack.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

CHUNK = 1 << 16
PORT = 22


@dataclass
class Counter:
    """Round trips on the wire so far: how often the client spoke after the server had."""

    turns: int = 0
    _last: str = ""

    def spoke(self, side: str) -> None:
        """One side sent something."""
        if side == "client" and self._last != "client":
            self.turns += 1
        self._last = side


@contextmanager
def slow_ways(ways: dict[str, str], round_trip_s: float) -> Iterator[Counter]:
    """Let each address of this machine lead to SSH of another host while the block runs, with so many seconds added."""
    counter, loop = Counter(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    servers = asyncio.run_coroutine_threadsafe(_serve(ways, round_trip_s / 2, counter), loop).result()
    try:
        yield counter
    finally:
        asyncio.run_coroutine_threadsafe(_end(servers), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _serve(ways: dict[str, str], delay_s: float, counter: Counter) -> list[asyncio.Server]:
    servers = []
    for address, target in ways.items():

        async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str = target) -> None:
            onward = await asyncio.open_connection(target, PORT)
            await asyncio.gather(
                _pass(reader, onward[1], delay_s, counter, "client"),
                _pass(onward[0], writer, delay_s, counter, "server"),
            )

        servers.append(await asyncio.start_server(lead, address, PORT))
    return servers


async def _end(servers: list[asyncio.Server]) -> None:
    for server in servers:
        server.close()
    passing = asyncio.all_tasks() - {asyncio.current_task()}
    for task in passing:
        task.cancel()
    await asyncio.gather(*passing, return_exceptions=True)


async def _pass(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float, counter: Counter, side: str
) -> None:
    """Pass on what one side says, each part so many seconds after it came."""
    loop, parts = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def write() -> None:
        with suppress(ConnectionError):
            while (part := await parts.get())[1]:
                await asyncio.sleep(max(0.0, part[0] - loop.time()))
                writer.write(part[1])
                await writer.drain()
        writer.close()

    writing = asyncio.create_task(write())
    with suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            counter.spoke(side)
            parts.put_nowait((loop.time() + delay_s, data))
    parts.put_nowait((0.0, b""))
    await writing
