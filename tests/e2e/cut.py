"""A wire between a program and a server that a test can cut: TCP, forwarded byte by byte."""

from __future__ import annotations

import contextlib
import socket
import threading


class Wire:
    """Listens at ``port`` of this machine and leads to ``target``, until it is cut."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._door = self._listen(0)
        self.port: int = self._door.getsockname()[1]

    def cut(self) -> None:
        """Nobody gets through any more, and who is through is cut off."""
        _close(self._door)
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            _close(end)

    def mend(self) -> None:
        self._door = self._listen(self.port)

    def _listen(self, port: int) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", port), backlog=50)
        threading.Thread(target=self._let_in, args=(listener,), daemon=True).start()
        return listener

    def _let_in(self, listener: socket.socket) -> None:
        while True:
            try:
                here, _ = listener.accept()
            except OSError:
                return  # it was cut
            self._lead(here)

    def _lead(self, here: socket.socket) -> None:
        try:
            there = socket.create_connection(self._target, timeout=10)
        except OSError:
            _close(here)
            return
        there.settimeout(None)
        with self._lock:
            self._ends |= {here, there}
        for source, sink in ((here, there), (there, here)):
            threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        with self._lock:
            self._ends -= {source, sink}
        _close(source)
        _close(sink)


def _close(end: socket.socket) -> None:
    """A thread that waits in it wakes up."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
