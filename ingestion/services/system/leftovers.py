"""Ends processes that outlived the ``up`` that started them. Standard library only."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

from ingestion.runfile import ProcessMark, ProcessRecord

GRACE_SECONDS = 10.0
LAST = "redis"  # what the others still talk to while they stop


def signal_group(leader: ProcessMark, number: int) -> None:
    """To the whole process group of ``leader``, which may be gone itself; nothing where it is empty.

    While a group has members, no new process gets its number; so a new one says that it is empty.
    """
    if leader.is_replaced:
        return
    # PermissionError: macOS says it of a group of the dead.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, number)


def stop_leftovers(records: Iterable[ProcessRecord]) -> list[str]:
    """End the groups whose leader is still the process on record; the names of those ended.

    A process that was started later under the same pid is somebody else's and stays.
    """
    alive = [record for record in records if record.mark.is_alive]
    _end([record for record in alive if record.name != LAST])
    _end([record for record in alive if record.name == LAST])
    return [record.name for record in alive]


def _end(records: list[ProcessRecord]) -> None:
    for record in records:
        signal_group(record.mark, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(record.mark.is_alive for record in records) and time.monotonic() < deadline:
        time.sleep(0.1)
    for record in records:
        signal_group(record.mark, signal.SIGKILL)
