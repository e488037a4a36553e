"""The JSON that programs read. A change here breaks them: add names, never rename or remove."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.deprecated_names import with_old_keys
from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.reporting.readiness import Part, Readiness
from ingestion.services.runs import celery_view
from ingestion.services.waiting.run_times import FEWEST_RUNS
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, member
from tests.unit.pool_shell import manage, pool_in_memory, shell, take

TIME, TEXT, NUMBER, FLAG, OBJECT = "time", "text", "number", "true/false", "object"


def maybe(kind: str) -> str:
    return f"{kind} or null"


TASK = {
    "id": TEXT,
    "task_name": TEXT,
    "crm_source": TEXT,
    "sync_type": TEXT,
    "parameters": OBJECT,
    "status": TEXT,
    "priority": NUMBER,
    "queued_at": TIME,
    "started_at": maybe(TIME),
    "completed_at": maybe(TIME),
    "celery_task_id": maybe(TEXT),
    "error_message": maybe(TEXT),
    "last_heartbeat": maybe(TIME),
    "attempt": NUMBER,
    "max_attempts": NUMBER,
    "worker": maybe(TEXT),
    "confirmed_at": maybe(TIME),
    "lease_expires_at": maybe(TIME),
    "cancel_requested_at": maybe(TIME),
    "not_before": maybe(TIME),
    "progress": OBJECT,
    "result": OBJECT,
    "requested_by": TEXT,
    "sync_history_id": maybe(NUMBER),
    "revision": NUMBER,
    "held_at": maybe(TIME),
    "held_by": TEXT,
    "held_reason": TEXT,
    "front_score": maybe(NUMBER),
    "after": {},
    "followers": {},
}
HOLDER = {"id": TEXT, "route": TEXT, "since": maybe(TIME), "worker": TEXT}
REASON = {
    "code": TEXT,
    "sentence": TEXT,
    "holders": [HOLDER],
    "since": maybe(TIME),
    "by": TEXT,
    "until": maybe(TIME),
}
WAIT = {"position": maybe(NUMBER), "reason": REASON, "start": maybe(OBJECT)}
WAITING_TASK = {**TASK, "position": maybe(NUMBER), "wait": WAIT}
LIMIT = {"set_by": TEXT, "set_at": maybe(TIME), "reason": TEXT, "expires_at": maybe(TIME)}
PRIORITY_AGING = {
    "seconds": NUMBER,
    "revision": NUMBER,
    "set_by": TEXT,
    "set_at": maybe(TIME),
    "reason": TEXT,
    "is_rescoring": FLAG,
}
CONTROLS = {
    "max_workers": maybe(OBJECT),
    "crm_limits": OBJECT,
    "pause": maybe(OBJECT),
    "crm_pauses": OBJECT,
    "priority_aging": PRIORITY_AGING,
}
OUTSIDE = {
    "history_id": NUMBER,
    "crm_source": TEXT,
    "sync_type": TEXT,
    "execution": TEXT,
    "started_at": TIME,
    "schedule_id": maybe(NUMBER),
    "holder": TEXT,
}
SNAPSHOT = {
    "schema": NUMBER,
    "taken_at": TIME,
    "state": TEXT,
    "max_workers": NUMBER,
    "effective_limit": NUMBER,
    "limit": LIMIT,
    "controls": CONTROLS,
    "active_count": NUMBER,
    "direct_count": NUMBER,
    "queued_count": NUMBER,
    "delayed_count": NUMBER,
    "held_count": NUMBER,
    "queued_by_crm": OBJECT,
    "available_workers": NUMBER,
    "utilization": NUMBER,
    "oldest_queued_at": maybe(TIME),
    "active": [TASK],
    "direct": [OUTSIDE],
    "queued": [WAITING_TASK],
    "delayed": [WAITING_TASK],
    "held": [WAITING_TASK],
    "sandboxed_crms": [TEXT],
    "workers": [
        {
            "name": TEXT,
            "last_seen_at": TIME,
            "capacity": NUMBER,
            "is_online": FLAG,
            "is_leaving": FLAG,
            "release": TEXT,
        }
    ],
    "hosts": [
        {
            "name": TEXT,
            "workers_online": NUMBER,
            "workers_leaving": NUMBER,
            "capacity": NUMBER,
            "running": NUMBER,
            "releases": [TEXT],
            "last_seen_at": TIME,
        }
    ],
    "counters": OBJECT,
    "monitor": {"last_round_at": maybe(TIME), "age_seconds": maybe(NUMBER)},
    "beat": {"last_tick_at": maybe(TIME), "age_seconds": maybe(NUMBER)},
    "dead_letters": OBJECT,
    "degraded": FLAG,
    "degraded_since": maybe(TIME),
    "degraded_reason": TEXT,
    "warnings": [TEXT],
}
LISTED = {name: SNAPSHOT[name] for name in ("schema", "taken_at")}
ACTIVE = {name: SNAPSHOT[name] for name in ("active_count", "active")}
WAITING = {
    name: SNAPSHOT[name]
    for name in ("queued_count", "delayed_count", "held_count", "queued", "delayed", "held")
} | {"next_cursor": maybe(TEXT)}
CONFIG = {
    name: SNAPSHOT[name]
    for name in ("schema", "max_workers", "effective_limit", "limit", "controls", "warnings")
}
START = {"earliest": TIME, "latest": TIME, "based_on": TEXT}
SUBMITTED = {"coalesced_into": maybe(TEXT)}
CHANGED = {"schema": NUMBER, "controls": CONTROLS}
DRAINED = {"drained": FLAG, "active": [TASK], "queued_count": NUMBER}
FORECAST = {
    "schema": NUMBER,
    "crm_source": TEXT,
    "sync_type": TEXT,
    "parameters": OBJECT,
    "priority": NUMBER,
    "sentence": TEXT,
    "coalesced_into": maybe(TEXT),
    **WAIT,
}
ONE_TASK = {"schema": NUMBER, "task": TASK}
ERROR = {"error": {"code": TEXT, "message": TEXT}}
READINESS = {
    "schema": NUMBER,
    "ready": FLAG,
    "parts": {"cache": {"ok": FLAG, "why": TEXT}},
    "missing": [TEXT],
}
REPAIRS = ("lost", "stale", "resent", "ledger_closed", "restored", "started", "repaired")
FINDING = {"code": TEXT, "subject": TEXT, "sentence": TEXT, "repair": TEXT, "is_safe": FLAG}
DIAGNOSIS = {
    "schema": NUMBER,
    "findings": [FINDING],
    "notes": [TEXT],
    "repaired": [FINDING],
    "left": [FINDING],
}
RECORD = {
    "at": TIME,
    "action": TEXT,
    "actor": TEXT,
    "target": TEXT,
    "reason": TEXT,
    "before": OBJECT,
    "after": OBJECT,
}
RESET = ("active", "queued", "delayed", "held", "dead_letters", "keys_deleted", "ledger_closed")


def assert_fits(value: Any, shape: Any, at: str = "$") -> None:
    """Every name of the shape is there, with a value of its kind."""
    if isinstance(shape, dict):
        assert isinstance(value, dict), at
        known = with_old_keys(shape)
        assert value.keys() == known.keys(), f"{at}: {value.keys() ^ known.keys()}"
        for name, inner in known.items():
            assert_fits(value[name], inner, f"{at}.{name}")
    elif isinstance(shape, list):
        assert isinstance(value, list), at
        for number, item in enumerate(value):
            assert_fits(item, shape[0], f"{at}[{number}]")
    else:
        assert is_kind(value, shape), f"{at}: {value!r} is no {shape}"


def is_kind(value: Any, kind: str) -> bool:
    if kind.endswith(" or null"):
        return value is None or is_kind(value, kind.removesuffix(" or null"))
    if kind == TIME:
        offset = datetime.fromisoformat(value).utcoffset()
        return offset is not None and offset.total_seconds() == 0
    if kind == NUMBER:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, {TEXT: str, FLAG: bool, OBJECT: dict}[kind])


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    """One task runs in a worker's hands, one was sent, two wait, a worker is online."""
    with pool_in_memory() as service:
        first, *_ = [service.submit_task("five9", "contacts", {"full": True}) for _ in range(4)]
        take(service, first)
        service.run_monitor_round()
        yield service


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        (("status",), SNAPSHOT),
        (("monitor",), SNAPSHOT),
        (("list-tasks",), LISTED | ACTIVE | WAITING),
        (("list-tasks", "--active"), LISTED | ACTIVE),
        (("list-tasks", "--queued"), LISTED | WAITING),
        (("config",), CONFIG),
        (("config", "--max-workers", "3", "--reason", "more"), CONFIG),
        (("submit", "hubspot", "all"), ONE_TASK | SUBMITTED),
        (("submit", "hubspot", "all", "--dry-run"), FORECAST),
        (("pause", "--crm", "hubspot", "--expires", "2h"), CHANGED),
        (("resume",), CHANGED),
        (("drain",), CHANGED | DRAINED),
        (("process-queue",), {"schema": NUMBER, "started": NUMBER}),
        (("clear-queue", "--yes"), {"schema": NUMBER, "cancelled": NUMBER}),
        (("fix-stuck",), {"schema": NUMBER, **dict.fromkeys(REPAIRS, NUMBER)}),
        (
            ("reset-state", "--force"),
            {"schema": NUMBER, "done": FLAG, **dict.fromkeys(RESET, NUMBER)},
        ),
    ],
)
def test_a_command_keeps_its_shape(
    pool: WorkerPoolService, words: tuple[str, ...], shape: dict[str, Any]
) -> None:
    assert_fits(manage(*words, "--json").shape, shape)


def test_the_lists_of_the_snapshot_are_filled_here(pool: WorkerPoolService) -> None:
    """Otherwise the shapes of their items would be proved by nothing."""
    shape = manage("status", "--json").shape
    assert (len(shape["active"]), len(shape["queued"]), len(shape["workers"])) == (2, 2, 1)


def test_cancel_keeps_its_shape(pool: WorkerPoolService) -> None:
    (task, *_) = pool.get_queued_tasks()
    assert_fits(manage("cancel", task.id, "--json").shape, ONE_TASK)


@pytest.mark.parametrize(
    "words", [("hold",), ("release",), ("prioritize", "--priority", "5"), ("move-to-front",)]
)
def test_an_order_keeps_its_shape(pool: WorkerPoolService, words: tuple[str, ...]) -> None:
    (task, *_) = pool.get_queued_tasks()
    assert_fits(manage(*words, task.id, "--json").shape, ONE_TASK)


def test_an_explanation_keeps_its_shape(pool: WorkerPoolService) -> None:
    for _ in range(FEWEST_RUNS):
        end = timezone.now()
        SyncHistory.objects.create(
            crm_source="five9",
            sync_type="contacts",
            status="success",
            start_time=end - timedelta(minutes=5),
            end_time=end,
        )
    (task, *_) = pool.get_queued_tasks()
    shape = manage("explain", task.id, "--json").shape
    assert_fits(shape, {"schema": NUMBER, "task": TASK, **WAIT})
    assert_fits(shape["start"], START)


def test_the_audit_keeps_its_shape(pool: WorkerPoolService) -> None:
    pool.clear_queue(change=ChangeRequest(by="ann", reason="wrong day"))
    words = ("audit", "--action", "clear", "--json")
    assert_fits(manage(*words).shape, {"schema": NUMBER, "records": [RECORD]})


def test_the_doctor_keeps_its_shape(
    pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(celery_view, "in_hand", dict)
    assert_fits(manage("doctor", "--json").shape, DIAGNOSIS)
    SyncHistory.objects.create(start_time=timezone.now() - timedelta(days=2))
    shape = shell("doctor", "--json").shape
    assert_fits(shape, DIAGNOSIS)
    assert (len(shape["findings"]), len(shape["left"])) == (1, 1)
    assert len(manage("doctor", "--repair", "--json").shape["repaired"]) == 1


def test_a_refused_command_keeps_its_shape(pool: WorkerPoolService) -> None:
    assert_fits(json.loads(shell("cancel", "ffffffff", "--json").err.splitlines()[-1]), ERROR)


def test_the_status_endpoint_keeps_its_shape(pool: WorkerPoolService) -> None:
    assert_fits(browser(member("Viewers")).get("/api/status").json(), SNAPSHOT)


def test_a_refused_request_keeps_its_shape(pool: WorkerPoolService) -> None:
    assert_fits(Client().get("/api/status").json(), ERROR)


def test_readiness_keeps_its_shape() -> None:
    assert_fits(Readiness({"cache": Part(ok=False, why="gone")}).to_dict(), READINESS)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({}, {"a": TEXT}),
        ({"a": "x", "b": "y"}, {"a": TEXT}),
        ({"a": 1}, {"a": TEXT}),
        ({"a": True}, {"a": NUMBER}),
        ({"a": "2026-01-01T00:00:00"}, {"a": TIME}),
        ({"a": [1]}, {"a": [TEXT]}),
    ],
)
def test_a_broken_shape_is_noticed(value: Any, shape: Any) -> None:
    with pytest.raises(AssertionError):
        assert_fits(value, shape)
