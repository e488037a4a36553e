"""A field of a task, or of its submission, that was forgotten somewhere: each test names the field."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from ingestion.api.pool.tasks import NewTask
from ingestion.api.reporting.summaries import RunningSummary, WaitingSummary
from ingestion.api.schemas.tasks import Task
from ingestion.management.cli import lines
from ingestion.models import SyncHistory
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.fields import from_fields, to_fields
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.ledger.state import new_row, record_of
from ingestion.services.reporting import task_summary
from ingestion.services.requests.submission import ROUTED, TAKEN_OVER, Submission, prepare
from ingestion.services.worker_pool import WorkerPoolService
from tests.contract.stores import AGAIN, Pool
from tests.unit.pool_shell import options_of

ROOT = Path(__file__).parents[2]
PAGE = [
    *(ROOT / "templates/ingestion/dashboard").glob("*.html"),
    *(ROOT / "static/js/dashboard").glob("*.js"),
]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
# One value of each type that a field may have.
VALUES: dict[Any, Any] = {
    str: "a text",
    int: 7,
    datetime: NOON,
    dict[str, Any]: {"full": True},
    TaskStatus: TaskStatus.RUNNING,
}


def _value(kind: Any) -> Any:
    return next(VALUES[known] for known in VALUES if kind in (known, known | None))


TYPES = get_type_hints(WorkerTask)
FULL = WorkerTask(**{field.name: _value(TYPES[field.name]) for field in fields(WorkerTask)})
EVERY_FIELD = pytest.mark.parametrize("name", [field.name for field in fields(WorkerTask)])
EVERY_ASKED = pytest.mark.parametrize("name", [field.name for field in fields(Submission)])
FREE_TEXTS = [
    name for name, kind in get_type_hints(Submission).items() if kind is str and name not in ROUTED
]
EVERY_TAKEN_OVER = pytest.mark.parametrize("name", TAKEN_OVER)

# What no submission says.
WRITTEN_BY_THE_POOL = {
    "id", "task_name", "status", "queued_at", "started_at", "completed_at", "celery_task_id",
    "error_message", "last_heartbeat", "attempt", "worker", "confirmed_at", "lease_expires_at",
    "cancel_requested_at", "progress", "result", "sync_history_id", "revision",
    "held_at", "held_by", "held_reason", "front_score",
}  # fmt: skip
SHOWN_ON_THE_DASHBOARD = {*task_summary.SHOWN, *task_summary.OF_RUNNING, *task_summary.OF_HELD}
# What nobody decides by on the dashboard: the page of the run has it, or nobody reads it.
NOT_ON_THE_DASHBOARD = {
    "task_name",
    "completed_at",
    "celery_task_id",
    "error_message",
    "lease_expires_at",
    "result",
    "front_score",
}
# What the dashboard gets for the programs that read it, and its page does not show.
NOT_ON_ITS_PAGE = {"last_heartbeat", "held_by", "held_reason", "not_before"}
# What the command line does not ask for.
NOT_TYPED = {"max_attempts", "not_before"}
# What the dashboard's dialog does not ask for; ``parameters`` have inputs of their own.
NOT_IN_THE_DIALOG = {"max_attempts", "parameters", "requested_by"}
TYPED_AS = {
    "crm_source": "crm",
    "parameters": "params",
    "requested_by": None,  # whoever types
}


@EVERY_FIELD
def test_it_is_asked_for_or_the_pools_own(name: str) -> None:
    assert (name in {field.name for field in fields(Submission)}) != (name in WRITTEN_BY_THE_POOL)


class TestStoredForms:
    @EVERY_FIELD
    def test_json(self, name: str) -> None:
        stored = json.loads(json.dumps(FULL.to_dict()))
        assert getattr(WorkerTask.from_dict(stored), name) == getattr(FULL, name)

    @EVERY_FIELD
    def test_the_hash_in_redis(self, name: str) -> None:
        assert getattr(from_fields(to_fields(FULL)), name) == getattr(FULL, name)

    @EVERY_FIELD
    @pytest.mark.django_db
    def test_the_row_of_the_ledger(self, name: str) -> None:
        row = new_row(TaskRecord(FULL, confirm_token="t"))
        row.save()
        kept = record_of(SyncHistory.objects.get(pk=row.pk))
        assert getattr(kept.task, name) == getattr(FULL, name)


class TestSubmission:
    @EVERY_ASKED
    def test_submit_task_takes_it(self, name: str) -> None:
        assert name in inspect.signature(WorkerPoolService.submit_task).parameters

    @EVERY_ASKED
    def test_the_api_takes_it(self, name: str) -> None:
        assert name in NewTask.model_fields or name == "requested_by"  # whoever calls

    @EVERY_ASKED
    def test_the_command_line_takes_it(self, name: str) -> None:
        typed = TYPED_AS.get(name, name)
        is_typed = typed is None or typed in options_of("submit")
        assert is_typed != (name in NOT_TYPED)

    @EVERY_ASKED
    def test_the_dialog_asks_for_it(self, name: str) -> None:
        dialog = (ROOT / "templates/ingestion/dashboard/submit.html").read_text()
        is_asked = f'"wish.{name}"' in dialog
        assert is_asked != (name in NOT_IN_THE_DIALOG)

    @pytest.mark.parametrize("name", FREE_TEXTS)
    def test_no_secret_in_a_text_is_stored(self, name: str) -> None:
        asked = replace(Submission("five9", "contacts"), **{name: "password=hunter22"})
        good = prepare(asked, usual_attempts=1)
        assert "hunter22" not in str(good)

    @EVERY_TAKEN_OVER
    def test_it_stays_through_every_attempt(self, pool: Pool, name: str) -> None:
        value = {"max_attempts": 2, "not_before": None}.get(name, getattr(FULL, name))
        task_id = pool.held(**{"max_attempts": 2, name: value})
        pool.finish(task_id, AGAIN)
        assert pool.status(task_id) == TaskStatus.QUEUED
        assert getattr(pool.task(task_id), name) == value or name == "not_before"


class TestShown:
    @EVERY_FIELD
    def test_the_api_describes_it(self, name: str) -> None:
        assert name in Task.model_fields

    @pytest.mark.parametrize("name", sorted(SHOWN_ON_THE_DASHBOARD))
    def test_the_api_describes_it_to_the_dashboard(self, name: str) -> None:
        assert name in {**RunningSummary.model_fields, **WaitingSummary.model_fields}

    @EVERY_FIELD
    def test_the_dashboard_gets_it(self, name: str) -> None:
        held = task_summary.waiting(FULL, None)
        running = task_summary.running(FULL, None)
        shown = {*held, *running, *(["parameters"] if "parameters_text" in held else [])}
        assert (name in shown) != (name in NOT_ON_THE_DASHBOARD)

    @pytest.mark.parametrize(
        "name", sorted(SHOWN_ON_THE_DASHBOARD - {"sync_type"})
    )  # it is in the route
    def test_its_page_shows_it(self, name: str) -> None:
        is_shown = any(
            re.search(rf"\b(task|t|target)\.{name}\b", path.read_text()) for path in PAGE
        )
        assert is_shown != (name in NOT_ON_ITS_PAGE)

    @EVERY_TAKEN_OVER
    def test_the_command_line_shows_it(self, name: str) -> None:
        bare = WorkerTask("1", "t", "five9", "contacts", queued_at=NOON)
        full = replace(bare, **{name: getattr(FULL, name)})

        def shown(task: WorkerTask) -> list[str]:
            return [lines.waiting_line(task), lines.active_details(task), *lines.facts(task)]

        assert shown(full) != shown(bare)
