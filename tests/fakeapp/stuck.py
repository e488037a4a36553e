"""Syncs that do not listen: each is stuck in its own way, for longer than any test waits."""

from __future__ import annotations

import ctypes
import socket
import time
from typing import Any

from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from tests.fakeapp.management.commands.sync_five9_contacts import write_down

STUCK_SECONDS = 300


class StuckCommand(SyncCommand):
    """``--batch-size`` is a label, as in ``sync_five9_contacts``."""

    crm_source = "callrail"

    def prepare(self) -> None:
        """It loads nothing."""

    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        label = options["batch_size"] or 0
        write_down("start", label)
        try:
            self.get_stuck()
        finally:
            write_down("end", label)

    def get_stuck(self) -> None:
        raise NotImplementedError


def wait_in_recv() -> None:
    """A server that accepts and never answers."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.recv(1)


def hold_the_interpreter() -> None:
    """C code that neither returns, not even for a signal, nor lets go of the GIL: no Python runs."""
    libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(256)
    libc.pthread_mutex_init(mutex, None)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)


def swallow(kind: type[BaseException]) -> None:
    deadline = time.monotonic() + STUCK_SECONDS
    while time.monotonic() < deadline:
        try:
            time.sleep(0.05)
        except kind:
            continue
