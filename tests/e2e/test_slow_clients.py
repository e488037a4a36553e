"""Clients that send half a request, or a byte now and then, keep nobody else from the pages."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.e2e.live import Live, live_system
from tests.integration.system import wait_for

pytestmark = [pytest.mark.redis, pytest.mark.e2e]

HALF_A_HEAD = b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_A_BODY = (
    b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 100000\r\n\r\nhalf"
)
OF_EACH_KIND = 60
IDLE_SECONDS = 2


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Live]:
    with live_system(tmp_path / "system") as found:
        found.kill_web()
        found.start_web("--idle-seconds", str(IDLE_SECONDS))
        yield found


def test_half_requests_hold_no_thread_and_are_closed(system: Live) -> None:
    with ExitStack() as stack:
        slow = [
            _begun(stack, system, begin)
            for begin in (HALF_A_HEAD, HALF_A_BODY)
            for _ in range(OF_EACH_KIND)
        ]
        dripping = _begun(stack, system, HALF_A_HEAD)
        for _ in range(10):
            dripping.sendall(b"a")
            with urllib.request.urlopen(f"{system.url}/login/", timeout=20) as answer:
                assert answer.status == 200
            time.sleep(0.1)  # the pace of a client that is alive
        wait_for(lambda: all(_is_closed(one) for one in slow), what="the end of the slow ones")


def _begun(stack: ExitStack, system: Live, begin: bytes) -> socket.socket:
    found = stack.enter_context(socket.create_connection(("127.0.0.1", system.web_port), 20))
    found.sendall(begin)
    found.setblocking(False)
    return found


def _is_closed(connection: socket.socket) -> bool:
    """What it says before, a 408 or nothing, is read and forgotten."""
    try:
        while connection.recv(4096):
            pass
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
