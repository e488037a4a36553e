"""A server that speaks so much of MySQL's protocol as to say its version."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

QUERY, QUIT = 3, 1
# CLIENT_PROTOCOL_41, CLIENT_SECURE_CONNECTION and CLIENT_PLUGIN_AUTH.
CAPABILITIES = 0x200 | 0x8000 | 0x80000
UTF8MB4, AUTOCOMMIT = 45, 2
OK = b"\x00\x00\x00" + struct.pack("<HH", AUTOCOMMIT, 0)
END_OF_ROWS = b"\xfe" + struct.pack("<HH", 0, AUTOCOMMIT)
TEXT_COLUMN = b"\x0c" + struct.pack("<HIBHBH", UTF8MB4, 400, 253, 0, 0, 0)


@contextmanager
def mysql_server(version: str) -> Iterator[str]:
    """The host and port of one that takes every user, and has no tables."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._send(0, _greeting(version))
            self._receive()
            self._send(2, OK)
            while (request := self._receive()) and request[0] != QUIT:
                if request[0] == QUERY and b"version()" in request:
                    self._send(1, *_row(version))
                else:
                    self._send(1, OK)

        def _send(self, number: int, *packets: bytes) -> None:
            for at, packet in enumerate(packets, number):
                self.wfile.write(struct.pack("<I", len(packet))[:3] + bytes([at]) + packet)

        def _receive(self) -> bytes:
            head = self.rfile.read(4)
            return self.rfile.read(int.from_bytes(head[:3], "little")) if head else b""

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def _greeting(version: str) -> bytes:
    low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
    return (
        b"\x0a"
        + version.encode()
        + b"\x00"
        + struct.pack("<I8sx", 1, b"saltsalt")
        + struct.pack("<HBHHB10x", low, UTF8MB4, AUTOCOMMIT, high, 21)
        + b"saltsaltsalt\x00mysql_native_password\x00"
    )


def _row(value: str) -> tuple[bytes, ...]:
    """A table of one text."""
    names = b"".join(_sized(part) for part in (b"def", b"", b"", b"", b"version()", b""))
    text = value.encode()
    return b"\x01", names + TEXT_COLUMN, END_OF_ROWS, _sized(text), END_OF_ROWS


def _sized(text: bytes) -> bytes:
    return bytes([len(text)]) + text
