"""Ten minutes in which one CRM answers every request with 500, beside one that works: with the
sandbox's own HTTP, the syncs as they are, and a webhook that takes the notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from pytest_httpserver import HTTPServer

from ingestion.models import SyncHistory
from ingestion.services.notices import rounds
from ingestion.services.runs import sources
from ingestion.services.worker.execute import TaskFailed, run_task
from ingestion.services.worker_pool import WorkerPoolService
from sandbox.faults.kinds import Fault
from sandbox.serving.server import SandboxServer
from tests.crms.world import sandboxes
from tests.few_models import NoLimiter
from tests.unit.people import forget_answers
from tests.unit.pool_shell import Sent, pool_in_memory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DOWN, WELL = ("callrail", "companies"), ("salesrabbit", "users")
MOST_REQUESTS = 10


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def pool(db: None, clock: time_machine.Coordinates, sent: Sent) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory(sent) as service:
        yield service
    forget_answers()


@pytest.fixture
def server(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SandboxServer]:
    monkeypatch.setattr(sources, "shared_rate_limiter", NoLimiter)
    with sandboxes(DOWN[0], WELL[0], folder=tmp_path / "sandbox", rows=24) as found:
        settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
        settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
        for name, value in found.settings.items():
            monkeypatch.setenv(name, value)
        settings.INGESTION_SYNC_HTTP_FIRST_DELAY_SECONDS = 0.01
        yield found


@pytest.fixture
def hook(httpserver: HTTPServer, settings: Any) -> HTTPServer:
    httpserver.expect_request("/hook", method="POST").respond_with_data("thanks")
    settings.INGESTION_NOTICE_CHANNELS = {"ops": f"json://{httpserver.host}:{httpserver.port}/hook"}
    return httpserver


@pytest.fixture
def later(
    pool: WorkerPoolService, clock: time_machine.Coordinates, sent: Sent
) -> Callable[[int], None]:
    return lambda minutes: pass_time(pool, clock, sent, minutes=minutes)


def pass_time(
    pool: WorkerPoolService, clock: time_machine.Coordinates, sent: Sent, *, minutes: int
) -> None:
    """Both CRMs are due; what the pool starts is run to its end; the monitor looks."""
    clock.shift(timedelta(minutes=minutes))
    pool.worker_tick("celery@test", capacity=4)
    for route in (DOWN, WELL):
        pool.submit_task(*route, requested_by="schedule 1")
    pool.process_queue()
    while sent.tasks:
        with suppress(TaskFailed):
            task = sent.tasks.pop(0)
            run_task(pool, task.id, attempt=task.attempt, worker="celery@test")
    pool.store.note_monitor_round()
    rounds.look(pool)


def statuses(route: tuple[str, str]) -> list[str]:
    crm, model = route
    rows = SyncHistory.objects.filter(crm_source=crm, sync_type=model).exclude(end_time=None)
    return list(rows.order_by("pk").values_list("status", flat=True))


def test_ten_minutes_of_500s_reach_the_crm_few_times_and_nobody_else(
    later: Callable[[int], None], server: SandboxServer, hook: HTTPServer
) -> None:
    later(1)
    server.faults.set([Fault.parse(f"errors:always={DOWN[0]}")])
    for _ in range(10):
        later(1)

    assert 0 < server.faults.requests_hit <= MOST_REQUESTS
    assert statuses(DOWN) == ["success", "failed", "failed"]
    assert statuses(WELL) == ["success"] * 11

    server.faults.set([])
    for _ in range(4):
        later(5)

    # Of fifteen that were submitted three had ended; those that waited run as well.
    assert statuses(DOWN)[3:] == ["success"] * 12
    told = [request.get_json()["title"] for request, _ in hook.log]
    assert told == ["CRM left in peace: callrail", "Over: CRM left in peace: callrail"]
