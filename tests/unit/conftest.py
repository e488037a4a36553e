"""Fixtures of several files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from ingestion.api.reporting import crms as crms_endpoint
from ingestion.services.crms import table_rows
from ingestion.services.runs import celery_view
from ingestion.services.worker import execute
from ingestion.services.worker_pool import WorkerPoolService
from tests.contract.stores import own_keys
from tests.unit.doctor_fixture import DoctorFixture, MemoryBody, RedisBody
from tests.unit.execute_fixtures import Adapter
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
) -> Iterator[DoctorFixture]:
    monkeypatch.setattr(celery_view, "in_hand", lambda: None)
    if request.param == "memory":
        yield DoctorFixture(MemoryBody())
        return
    client = Redis.from_url(request.getfixturevalue("redis_server").url(4))
    with own_keys(client) as keys:
        yield DoctorFixture(RedisBody(client, keys))
    client.close()


@pytest.fixture
def pool(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPoolService]:
    """In memory, where no endpoint asks a worker, a CRM or the warehouse."""
    forget_answers()
    monkeypatch.setattr(celery_view, "in_hand", dict)
    monkeypatch.setattr(crms_endpoint, "check_crms", answers([]))
    monkeypatch.setattr(table_rows, "rows_of", answers({}))
    with pool_in_memory() as service:
        yield service


@pytest.fixture
def hubspot(tmp_path: Path) -> Caller:
    return Caller(opened(tmp_path).relax())


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Adapter:
    found = Adapter()
    monkeypatch.setattr(execute, "IngestionAdapter", found)
    monkeypatch.setattr(execute, "ROW_WAIT_SECONDS", 0)
    return found
