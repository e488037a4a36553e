"""The spans of a task: one trace, whichever process makes them, and nothing where traces are off."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.utils import timezone
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from ingestion.conf import TelemetryConf
from ingestion.models import SyncHistory
from ingestion.services.telemetry.start import problems
from ingestion.services.telemetry.traces import Exporting, Traces, is_chosen
from ingestion.signals import submitted
from tests.fresh_process import printed
from tests.unit.people import program
from tests.unit.pool_shell import pool_in_memory

METRICS = {
    "run_id": "r",
    "seconds": {"start": 1.0, "finish": 0.5},
    "models": [{"model": "contacts", "processed": 3, "seconds": {"extract": 2.0, "merge": 4.0}}],
}


class Recorded(Exporting):
    """Keeps the spans here in place of exporting them."""

    def __init__(self, *, share: float = 1) -> None:
        conf = TelemetryConf("http://collector", share, "", "development")
        super().__init__(conf)
        self.exporter = InMemorySpanExporter()
        self._here = Traces(conf, SimpleSpanProcessor(self.exporter))

    @property
    def traces(self) -> Traces:
        return self._here

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
def recorded() -> Any:
    found = Recorded()
    submitted.connect(found.on_submitted)
    yield found
    submitted.disconnect(found.on_submitted)


def run(recorded: Recorded, task_id: str, *, attempt: int = 1, state: str = "SUCCESS") -> None:
    message = {"task_id": task_id, "attempt": attempt}
    recorded.on_begin("m", message)
    recorded.on_end("m", state, "completed")


def a_row(**columns: Any) -> str:
    task_id = str(uuid.uuid4())
    now = timezone.now()
    row = {
        "status": "success",
        "start_time": now,
        "end_time": now,
        "attempt": 1,
        "performance_metrics": METRICS,
        **columns,
    }
    SyncHistory.objects.create(
        crm_source="hubspot", sync_type="contacts", worker_pool_task_id=task_id, **row
    )
    return task_id


@pytest.mark.django_db
def test_submission_and_attempt_are_one_trace(recorded: Recorded) -> None:
    with pool_in_memory():
        answer = program("operate").post(
            "/api/tasks",
            {"crm_source": "hubspot", "sync_type": "contacts"},
            content_type="application/json",
        )
    task_id = answer.json()["task"]["id"]
    run(recorded, task_id)

    spans = recorded.spans
    assert {"submit", "waiting", "attempt 1"} <= spans.keys()
    root = spans["submit"].context
    assert root.trace_id == uuid.UUID(task_id).int
    assert spans["submit"].parent is None
    assert spans["submit"].attributes["dw.entry_point"] == "http"
    for name in ("waiting", "attempt 1"):
        assert spans[name].context.trace_id == root.trace_id
        assert spans[name].parent.span_id == root.span_id
        assert spans[name].context.span_id != root.span_id


@pytest.mark.django_db
def test_steps_stand_in_a_row_as_long_as_they_took(recorded: Recorded) -> None:
    run(recorded, a_row())

    spans = recorded.spans
    begin = spans["attempt 1"].start_time
    seconds = {
        name: ((span.start_time - begin) / 1e9, (span.end_time - begin) / 1e9)
        for name, span in spans.items()
    }
    assert seconds["start"] == (0, 1)
    assert seconds["model contacts"] == (1, 7)
    assert seconds["extract"] == (1, 3)
    assert seconds["merge"] == (3, 7)
    assert seconds["finish"] == (7, 7.5)
    assert spans["merge"].parent.span_id == spans["model contacts"].context.span_id
    assert spans["attempt 1"].attributes["dw.status"] == "success"


@pytest.mark.django_db
def test_a_failure_is_named_by_its_class_alone(recorded: Recorded) -> None:
    task_id = a_row(status="failed", error_message="Robin's record", error_class="credentials")
    run(recorded, task_id, state="FAILURE")

    status = recorded.spans["attempt 1"].status
    assert (status.status_code, status.description) == (StatusCode.ERROR, "credentials")
    assert "Robin" not in "".join(span.to_json() for span in recorded.spans.values())


@pytest.mark.django_db
def test_an_attempt_that_is_repeated_has_no_steps_yet(recorded: Recorded) -> None:
    task_id = a_row(status="queued", end_time=None)
    run(recorded, task_id)
    assert recorded.spans.keys() == {"waiting", "attempt 1"}
    SyncHistory.objects.update(status="success", end_time=timezone.now(), attempt=2)
    run(recorded, task_id, attempt=2)
    assert {"attempt 2", "merge"} <= recorded.spans.keys()


@pytest.mark.django_db
def test_a_message_that_was_dropped_has_no_span(recorded: Recorded) -> None:
    task_id = a_row()
    recorded.on_begin("m", {"task_id": task_id, "attempt": 1})
    recorded.on_end("m", "SUCCESS", "dropped")
    recorded.on_begin("other", {"schedule_id": 1})
    recorded.on_end("other", "SUCCESS", None)
    assert recorded.spans == {}


@pytest.mark.django_db
def test_what_coalesces_with_a_task_is_in_its_trace(recorded: Recorded) -> None:
    with pool_in_memory() as pool:
        pool.pause()
        first = pool.submit_task("hubspot", "contacts")
        again = pool.submit_task("hubspot", "contacts", on_overlap="coalesce")
    assert first == again
    spans = recorded.spans
    assert spans["submit, coalesced"].parent.span_id == spans["submit"].context.span_id


def test_a_share_of_the_tasks_is_the_same_in_every_process() -> None:
    ids = [str(uuid.UUID(int=number << 116)) for number in range(4096)]
    assert sum(is_chosen(one, 0.25) for one in ids) == 1024
    assert all(is_chosen(one, 1) for one in ids)
    assert not any(is_chosen(one, 0) for one in ids)


def test_a_receiver_that_fails_stops_no_submission(db: None) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("a receiver of the project")

    submitted.connect(broken)
    try:
        with pool_in_memory() as pool:
            task_id = pool.submit_task("hubspot", "contacts")
    finally:
        submitted.disconnect(broken)
    assert SyncHistory.objects.filter(worker_pool_task_id=task_id).exists()


def test_off_nothing_of_it_is_imported() -> None:
    """Redis's client imports OpenTelemetry where it is installed; here it is not."""
    code = (
        "import sys; sys.modules['opentelemetry'] = sys.modules['sentry_sdk'] = None;"
        "import django; django.setup();"
        "import data_warehouse.celery, ingestion.urls, ingestion.services.worker.execute;"
        "print([n for n in sys.modules if n.startswith('ingestion.services.telemetry.')])"
    )
    assert printed(code) == "['ingestion.services.telemetry.start']"


def test_what_is_not_installed_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    start = "ingestion.services.telemetry.start.find_spec"
    conf = TelemetryConf("http://collector:4318/v1/traces", 1, "https://k@sentry.io/1", "x")
    assert list(problems(conf)) == []
    monkeypatch.setattr(start, lambda _: None)
    hints = [hint for _, hint in problems(conf)]
    assert ["'.[telemetry]'" in hints[0], "'.[sentry]'" in hints[1]] == [True, True]


def test_traces_go_to_http() -> None:
    ((problem, _),) = problems(TelemetryConf("grpc://collector:4317", 1, "", "development"))
    assert problem == "TRACES_URL is no URL of HTTP."
