"""Serves the pages and the API: ``python -m data_warehouse.web --listen 0.0.0.0:8000``.

The server is waitress. One thread reads all connections and hands a request to the others once it is
there whole, so that a client that is slow, or sends half a request and waits, holds a connection and
no thread.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from waitress.server import create_server

from data_warehouse.wsgi import application

THREADS = 8
CONNECTIONS = 1000
# A connection without a request, or with half of one, is closed after so long without a byte.
IDLE_SECONDS = 30
# Django itself refuses less; this bounds what is kept of a request until it is there whole.
LARGEST_REQUEST_BYTES = 32 * 1024 * 1024


def main(words: Sequence[str] | None = None) -> None:
    """Until SIGTERM or SIGINT; then requests that are being answered have five seconds."""
    asked = _parser().parse_args(words)
    where = (
        {"listen": asked.listen}
        if asked.descriptor is None
        else {"sockets": [socket.socket(fileno=asked.descriptor)]}
    )
    server = create_server(
        application,
        **where,
        threads=asked.threads,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        channel_timeout=asked.idle_seconds,
        cleanup_interval=asked.idle_seconds,
        max_request_body_size=LARGEST_REQUEST_BYTES,
        # Who may be believed is told by TRUSTED_PROXIES.
        clear_untrusted_proxy_headers=False,
        ident=None,
    )
    signal.signal(signal.SIGTERM, _leave)
    server.run()


def _leave(number: int, frame: object) -> NoReturn:
    sys.exit(0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m data_warehouse.web", description=__doc__)
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:8000")
    where.add_argument("--fd", type=int, dest="descriptor", help="a socket that listens already")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--idle-seconds", type=int, default=IDLE_SECONDS)
    return parser


if __name__ == "__main__":
    main()
