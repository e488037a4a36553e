"""A pool in memory and a clock that stands still."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import forget_answers
from tests.unit.pool_shell import pool_in_memory

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def pool(db: None, clock: time_machine.Coordinates) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()
