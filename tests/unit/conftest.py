"""Fixtures of several files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from ingestion.api import crms as crms_door
from ingestion.services import celery_view, table_rows
from ingestion.services.worker_pool import WorkerPoolService
from tests.contract.stores import own_keys
from tests.unit.doctor_patient import MemoryBody, Patient, RedisBody
from tests.unit.hubspot_account import Caller, opened
from tests.unit.people import forget_answers
from tests.unit.pool_fixtures import Bench
from tests.unit.pool_shell import answers, pool_in_memory


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def patient(
    request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Patient]:
    monkeypatch.setattr(celery_view, "in_hand", lambda: None)
    if request.param == "memory":
        yield Patient(MemoryBody())
        return
    client = Redis.from_url(request.getfixturevalue("redis_server").url(4))
    with own_keys(client) as keys:
        yield Patient(RedisBody(client, keys))
    client.close()


@pytest.fixture
def pool(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPoolService]:
    """In memory, where no door asks a worker, a CRM or the warehouse."""
    forget_answers()
    monkeypatch.setattr(celery_view, "in_hand", dict)
    monkeypatch.setattr(crms_door, "check_crms", answers([]))
    monkeypatch.setattr(table_rows, "rows_of", answers({}))
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def hubspot(tmp_path: Path) -> Caller:
    return Caller(opened(tmp_path).relax())
