"""A pool in memory that the rules may act on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ingestion.services.worker_pool import use_worker_pool
from tests.unit.pool_fixtures import Bench


@pytest.fixture
def bench(db: None) -> Iterator[Bench]:
    bench = Bench()
    bench.pool.worker_tick("w1", capacity=8)
    with use_worker_pool(bench.pool):
        yield bench
