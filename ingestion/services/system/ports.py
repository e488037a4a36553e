"""A port for the web server."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"
USUAL_PORT = 8000
TRIES = 100


class PortTaken(Exception):
    """The port that was asked for is in use."""


def listen(port: int | None) -> socket.socket:
    """A listening socket on ``port``; None: the usual one, or the next one that is free.

    The socket is handed to the web server as it is, so that nobody can take the port in between
    and a web server that is started again finds its visitors waiting.
    """
    if port is not None:
        return _asked_for(port)
    for candidate in range(USUAL_PORT, USUAL_PORT + TRIES):
        try:
            return socket.create_server((HOST, candidate))
        except OSError:
            continue
    return socket.create_server((HOST, 0))


def _asked_for(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except (OSError, OverflowError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise PortTaken(
            f"Port {port} cannot be had ({reason}): end what uses it, give another --port, "
            "or leave --port away to get a free one."
        ) from None
