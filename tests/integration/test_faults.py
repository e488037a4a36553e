"""Every CRM on a bad day: a sync gets over it with equal data, or ends with one sentence."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from django.core.management import call_command

from ingestion.models import SyncHistory
from ingestion.services.runs import sources
from ingestion.services.runs.runner import RunHandle
from ingestion.services.runs.verification import ModelReport, verify
from ingestion.services.security.secrets import mask
from ingestion.services.worker.execute import TaskFailed, run_task
from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    QuotaExceeded,
    SyncError,
    TransientError,
)
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.run import SyncResult
from ingestion.sync.common.source import Crm
from ingestion.sync.hubspot import api as hubspot_api
from sandbox.faults.kinds import Fault
from sandbox.serving.registry import sandbox_classes
from sandbox.serving.server import SandboxServer
from tests.crms.world import sandboxes
from tests.few_models import NoLimiter, know_only, with_few_models
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db

ROWS, BATCH_SIZE = 24, 10
LONGEST_RUN_SECONDS = 120  # of which no run needs a tenth
OVER_HTTP = tuple(name for name in sandbox_classes() if name != "genius")
CURE = re.compile(r"\b(check|try again|lower|run it again|name the|correct|it seems to ignore)\b")


class Hung(BaseException):
    """A run has not ended."""


@contextmanager
def ends() -> Iterator[None]:
    """Raises Hung inside where the end is not reached before the deadline."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Hung

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_RUN_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@dataclass
class World:
    """One CRM's sandbox, and a warehouse that all tests of the CRM share."""

    crm: Crm
    server: SandboxServer
    is_loaded: bool = False

    def put(self, *faults: str) -> None:
        self.server.faults.set(Fault.parse(f"{fault}={self.crm.name}") for fault in faults)

    def run(self) -> SyncResult:
        handle = RunHandle(SilentReporter())
        with ends():
            call_command(f"sync_{self.crm.name}_all", run=handle, full=True, batch_size=BATCH_SIZE)
        assert handle.result is not None
        return handle.result

    def load(self) -> None:
        if not self.is_loaded:
            self.put()
            self.run()
            self.is_loaded = True

    def change(self) -> None:
        self.server.sandboxes.tick((self.crm.name,))

    def reports(self) -> list[ModelReport]:
        with ends():
            return list(verify(self.crm.name, None, SilentReporter()))

    def failure(self) -> tuple[SyncError, SyncHistory]:
        """How a run fails, and the row that it leaves."""
        with pytest.raises(SyncError) as caught:
            self.run()
        return caught.value, SyncHistory.objects.latest("pk")


@pytest.fixture(scope="module", params=list(sandbox_classes()))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Path]]:
    crm, folder = with_few_models(request.param), tmp_path_factory.mktemp(request.param)
    with sandboxes(crm.name, folder=folder / "sandbox", rows=ROWS) as server:
        world = World(crm, server)
        _hasten(server.sandboxes.by_name[crm.name])
        yield world, folder


def _hasten(sandbox: Any) -> None:
    """What a CRM itself tells to wait is short here."""
    if sandbox.name == "five9":
        limits = dict.fromkeys(("Query", "ReportRequest", "RetrieveReport"), 100_000)
        sandbox.limits.limits = {1: limits}


@pytest.fixture
def world(
    served: tuple[World, Path], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    made, folder = served
    monkeypatch.setattr(hubspot_api, "TEN_SECONDS", 0.02)
    monkeypatch.setattr(hubspot_api, "ONE_SECOND", 0.02)
    settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{folder / 'warehouse.sqlite3'}"
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(folder / "pipelines")
    settings.INGESTION_CRM_ENVIRONMENT = made.server.settings
    settings.INGESTION_SYNC_HTTP_FIRST_DELAY_SECONDS = 0.01
    settings.INGESTION_SYNC_HTTP_ATTEMPTS = 6
    settings.INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = 5
    know_only(made.crm, monkeypatch)
    made.load()
    yield made
    made.put()


def only(*names: str) -> Any:
    return pytest.mark.parametrize("served", names, indirect=True, scope="module")


def check_sentence(world: World, problem: SyncError, row: SyncHistory) -> None:
    """One sentence that names CRM, request and cure; the row says the same."""
    message = str(problem)
    assert world.crm.title in message
    assert re.search(r"(GET|POST) /|Five9 [a-z]+[A-Z]|table \w+", message), message
    assert CURE.search(message), message
    assert "\n" not in message
    assert (row.status, row.error_message) == ("failed", mask(message))


@only(*OVER_HTTP)
def test_every_request_keeps_to_a_budget_of_its_crm(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[str] = []

    class Counting(NoLimiter):
        def reserve(self, rate: Rate) -> float:
            taken.append(rate.name.split(":")[0])
            return 0.0

    monkeypatch.setattr(sources, "shared_rate_limiter", Counting)

    result = world.run()

    assert set(taken) == {world.crm.name}
    # Five9 does not count the question for its counters and the end of a session.
    assert len(taken) >= result.total("requests") - 2


@only(*OVER_HTTP)
@pytest.mark.parametrize("fault", ["throttle", "errors", "cut", "truncated", "html", "slow"])
def test_a_passing_fault_leaves_equal_data(world: World, fault: str) -> None:
    world.change()
    world.server.faults.slow_seconds = 0.02
    world.put(fault)

    result = world.run()

    assert world.server.faults.requests_hit > 0
    assert result.status == "success"
    world.put()
    assert [r for r in world.reports() if not r.is_equal] == []


@only(*OVER_HTTP)
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("throttle:always", TransientError | QuotaExceeded),
        ("errors:always", TransientError),
        ("cut:always", TransientError),
        ("truncated:always", TransientError),
        ("slow:always", TransientError),
        ("html:always", PermanentError),
        ("credentials", CredentialsError),
    ],
)
def test_a_lasting_fault_ends_the_run_with_a_sentence(
    world: World, settings: Any, fault: str, error: type[SyncError]
) -> None:
    settings.INGESTION_SYNC_HTTP_ATTEMPTS = 2
    if fault.startswith("slow"):
        settings.INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = 0.3
        world.server.faults.slow_seconds = LONGEST_RUN_SECONDS
    world.put(fault)

    problem, row = world.failure()

    assert isinstance(problem, error)
    check_sentence(world, problem, row)


@only(*OVER_HTTP)
def test_a_page_that_repeats_for_ever_loses_nothing_in_silence(world: World) -> None:
    world.change()
    world.put("repeat")

    try:
        world.run()
    except PermanentError as problem:
        check_sentence(world, problem, SyncHistory.objects.latest("pk"))
    else:
        # It has no pages at all.
        assert world.crm.name == "five9"
        world.put()
        assert [r for r in world.reports() if not r.is_equal] == []


def test_changed_columns_are_loaded_and_recorded(world: World) -> None:
    world.put("column")

    assert world.run().status == "success"

    models = SyncHistory.objects.latest("pk").performance_metrics["models"]
    told = [change for model in models for change in model["schema_changes"]]
    if world.crm.name != "leadconduit":  # what it adds goes into a column of its own kind
        assert "new column added_by_fault (text)" in told
    assert any("no longer delivers column" in change for change in told)
    assert any("do not fit" in change or "declares column" in change for change in told)
    wrong = [r for r in world.reports() if r.missing + r.extra + r.different + r.duplicates]
    assert wrong == []

    world.put()
    world.run()
    assert [r for r in world.reports() if not r.is_equal] == []


def test_task_and_history_say_the_same(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.INGESTION_SYNC_HTTP_ATTEMPTS = 1
    settings.INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = 1
    world.put("errors:always")
    bench = Bench()
    task_id = bench.pool.submit_task(world.crm.name, "all", {"full": True})

    with ends(), pytest.raises(TaskFailed) as caught:
        run_task(bench.pool, task_id, attempt=1, worker="w1")

    task = bench.pool.get_task_status(task_id)
    row = SyncHistory.objects.get(worker_pool_task_id=task_id)
    assert task is not None
    assert (task.status, row.status) == ("failed", "failed")
    assert row.error_message == task.error_message
    assert str(task.error_message) in str(caught.value)
    assert world.crm.title in str(task.error_message)


@only("genius")
def test_a_database_that_is_locked_for_a_moment_is_waited_for(world: World) -> None:
    world.change()
    world.put("errors")
    mending = threading.Timer(0.3, world.put)
    mending.start()

    assert world.run().status == "success"

    mending.join()
    assert [r for r in world.reports() if not r.is_equal] == []


@only("genius")
def test_a_database_that_stays_locked_ends_the_run_with_a_sentence(
    world: World, settings: Any
) -> None:
    settings.INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = 1
    world.put("errors")

    problem, row = world.failure()

    assert isinstance(problem, TransientError)
    check_sentence(world, problem, row)
