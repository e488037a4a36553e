"""A clock that stands still and a pool in memory, for what schedules do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine

from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench
from tests.unit.schedules.given import NOON


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def bench(clock: time_machine.Coordinates) -> Iterator[Bench]:
    bench = Bench()
    with use_worker_pool(bench.pool):
        yield bench
