"""A pool in memory, and who calls it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import forget_answers, program
from tests.unit.pool_shell import pool_in_memory


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    """Whose answers tell the rows of the warehouse, and ask whoever a test lets them ask."""
    forget_answers()
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def operator(pool: WorkerPoolService) -> Client:
    return program("operate")


@pytest.fixture
def boss(pool: WorkerPoolService) -> Client:
    return program("admin", "boss")
