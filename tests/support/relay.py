"""A network that fails on purpose: passes connections on to a server, and cuts or changes what a test wants."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["questions", "answers"]


@dataclass
class _Fault:
    direction: Direction
    after: int
    flip: bool


@dataclass
class Relay:
    """Listens on a loopback port. A fault is armed once and happens once, on whichever connection comes to it."""

    target: int
    _faults: list[_Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)
    _listener: socket.socket = field(init=False)

    @property
    def port(self) -> int:
        """Where to connect."""
        port = self._listener.getsockname()[1]
        assert isinstance(port, int)
        return port

    @property
    def armed(self) -> bool:
        """Whether a fault has still not happened."""
        return bool(self._faults)

    def cut(self, direction: Direction, *, after: int = 0) -> None:
        """Cut the connection once so many bytes more have passed in a direction."""
        self._faults.append(_Fault(direction, after, flip=False))

    def flip(self, direction: Direction, *, after: int) -> None:
        """Change the byte that follows so many bytes in a direction."""
        self._faults.append(_Fault(direction, after, flip=True))

    def start(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread(self._accept)

    def stop(self) -> None:
        """Cut everything."""
        for end in (self._listener, *self._sockets):
            _cut(end)
        for thread in self._threads:
            thread.join()
        for end in (self._listener, *self._sockets):
            end.close()

    def _thread(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self._sockets += [client, server]
            self._thread(self._pump, client, server, "questions")
            self._thread(self._pump, server, client, "answers")

    def _pump(self, source: socket.socket, target: socket.socket, direction: Direction) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                spoilt, cut = self._spoil(bytearray(data), direction)
                target.sendall(spoilt)
                if cut:
                    break
        _cut(source)
        _cut(target)

    def _spoil(self, data: bytearray, direction: Direction) -> tuple[bytearray, bool]:
        with self._lock:
            fault = next((fault for fault in self._faults if fault.direction == direction), None)
            if fault is None:
                return data, False
            if fault.after >= len(data):
                fault.after -= len(data)
                return data, False
            self._faults.remove(fault)
        if fault.flip:
            data[fault.after] ^= 0x01
            return data, False
        return data[: fault.after], True


def _cut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay_to(port: int) -> Iterator[Relay]:
    """Pass connections on to a port for the length of a block."""
    relay = Relay(port)
    relay.start()
    try:
        yield relay
    finally:
        relay.stop()
