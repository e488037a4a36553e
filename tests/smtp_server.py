"""A small SMTP server in this process, which keeps what it is given."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string, policy
from email.message import EmailMessage
from typing import cast


@dataclass
class Mailbox:
    port: int
    messages: list[EmailMessage] = field(default_factory=list)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    mailbox: Mailbox


class _Handler(socketserver.StreamRequestHandler):
    """RFC 5321, as far as a client needs it that speaks without TLS and login."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline():
            word = line.decode(errors="replace").strip().upper()
            if word.startswith("DATA"):
                self._say("354 go on")
                self._take()
                self._say("250 taken")
            elif word.startswith("QUIT"):
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _take(self) -> None:
        lines = []
        while (line := self.rfile.readline().decode()) not in (".\r\n", ""):
            lines.append(line.removeprefix("."))
        message = message_from_string("".join(lines), policy=policy.default)
        cast("_Server", self.server).mailbox.messages.append(message)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.mailbox = Mailbox(server.server_address[1])
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.mailbox
        server.shutdown()
