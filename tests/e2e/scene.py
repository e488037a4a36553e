"""Fills a live system with what a real one holds after a week, and with texts that mean harm.

``python -m tests.program tests.e2e.scene past`` writes the history, schedules, rules' findings,
reports, the audit record and people; ``queue N`` keeps every slot busy and lets N tasks wait; ``rows``
loads a few of Arrivy's customers. All speak to the system that the environment names; see ``live.Live.play``.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import cycle, islice
from typing import Any

from django.contrib.auth.models import Group, User
from django.utils import timezone

from ingestion.models import RuleAct, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.automation import report
from ingestion.services.freshness import bounds
from ingestion.services.requests.routing import ROUTES, task_name
from ingestion.services.scheduling import schedules
from ingestion.services.security import audit
from ingestion.services.worker_pool import get_worker_pool
from tests.data_world import load_customers
from tests.e2e.live import NOBODY, OPERATOR, PASSWORD, VIEWER

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"
LONG_NAME = "the-night-shift-of-the-regional-data-operations-team@warehouse.example.com"
UNBROKEN = "0123456789abcdefghij" * 9
ERRORS = (
    "HubSpot answered 429 to GET /crm/v3/objects/deals: the limit of ten seconds is used up; it is "
    "asked again after 11 s, five times, and each time answered the same.",
    "Arrivy refused the credentials (401): set ARRIVY_AUTH_KEY and ARRIVY_AUTH_TOKEN.",
    f"CallRail's answer is no JSON after 3 attempts; it begins with {UNBROKEN} and goes on for 48 kB.",
    f"The record has a field that no column fits: {HOSTILE}",
    "The worker celery@warehouse-7 was lost: its lease ran out at 2026-11-21 02:14:09 UTC.",
)
RUNS_OF_A_WEEK = 420
# Steps of a tenth of a second: longer than anybody looks.
LONG_STEPS = 60_000
BUSY = (("five9", "contacts"), ("five9", "contacts"), ("callrail", "calls"), ("five9", "contacts"))


def past() -> None:
    _people()
    made = _schedules()
    _runs(made)
    _findings()
    _records()
    bounds.set_bound(
        "five9", "contacts", 86_400.0, change=ChangeRequest(by=OPERATOR, reason=HOSTILE)
    )
    for hours in (12, 24 * 7):
        report.make(hours=hours, change=ChangeRequest(by=LONG_NAME))


def queue(count: int) -> None:
    """Four run, ``count`` wait; a delayed and a held one beside them as soon as any waits."""
    pool = get_worker_pool()
    pool.set_max_workers(len(BUSY), change=ChangeRequest(by=OPERATOR, reason="month end"))
    pool.set_crm_limit("hubspot", 1, change=ChangeRequest(by=OPERATOR, reason=HOSTILE))
    pool.pause(
        "gsheet",
        change=ChangeRequest(by=LONG_NAME, reason="the sheet is being rewritten"),
        expires_at=_in(90),
    )
    for number, route in enumerate(BUSY):
        pool.submit_task(*route, {"max_records": LONG_STEPS, "batch_size": number + 1})
    names = cycle((OPERATOR, LONG_NAME, HOSTILE, "schedule 3"))
    for number, route in enumerate(islice(cycle(ROUTES), count)):
        pool.submit_task(*route, priority=(number % 7) * 5, requested_by=next(names))
    if count:
        pool.submit_task("hubspot", "deals", not_before=_in(45), requested_by=OPERATOR)
        held = pool.submit_task("genius", "job_change_order_items", requested_by=LONG_NAME)
        pool.hold_task(held, change=ChangeRequest(by=OPERATOR, reason=HOSTILE))


def _in(minutes: float) -> datetime:
    return timezone.now() + timedelta(minutes=minutes)


def _people() -> None:
    viewer = User.objects.create_user(VIEWER, password=PASSWORD)
    viewer.groups.add(Group.objects.get(name="Viewers"))
    User.objects.create_user(NOBODY, password=PASSWORD)


def _schedules() -> list[Any]:
    by_clock = {"recurrence": "crontab", "minute": "30", "hour": "4", "timezone": "Europe/Berlin"}
    often = {"recurrence": "interval", "every": 15, "period": "minutes"}
    given: list[dict[str, Any]] = [
        {"name": "hubspot deals", "crm_source": "hubspot", "model_name": "deals", **often},
        {"name": HOSTILE, "crm_source": "genius", "model_name": "leads", **by_clock},
        {"name": f"{LONG_NAME} {UNBROKEN[:70]}", "crm_source": "callrail", "model_name": "calls"}
        | {**often, "options": {"max_records": 500}, "execution": "direct", "mode": "force7"},
        {"name": "salespro, off", "crm_source": "salespro", "model_name": "all", **by_clock}
        | {"enabled": False},
    ]
    return [
        schedules.create(fields, change=ChangeRequest(by=OPERATOR, reason="from the scene"))
        for fields in given
    ]


def _runs(made: list[Any]) -> None:
    draw = random.Random(7)
    rows = [_run(draw, number) for number in range(RUNS_OF_A_WEEK)]
    for row in rows[:9]:
        row.schedule = made[0]
    SyncHistory.objects.bulk_create(rows)


def _run(draw: random.Random, number: int) -> SyncHistory:
    """The first ones ended last."""
    crm, kind = draw.choice(list(ROUTES))
    end = timezone.now() - timedelta(seconds=40 + (number / RUNS_OF_A_WEEK) ** 2 * 7 * 86400)
    status = draw.choices(("success", "failed", "partial", "cancelled"), (82, 9, 6, 3))[0]
    rows = draw.choice((0, 12, 480, 25_000, 1_840_000)) if status != "failed" else 0
    seconds = draw.uniform(2, 2400)
    return SyncHistory(
        crm_source=crm,
        sync_type=kind,
        endpoint=f"sync_{crm}_{kind}",
        status=status,
        start_time=end - timedelta(seconds=seconds),
        end_time=end,
        attempt=1,
        records_processed=rows,
        records_created=rows // 3,
        records_updated=rows // 2,
        records_deleted=rows // 90,
        error_message=draw.choice(ERRORS) if status in ("failed", "partial") else None,
        configuration={"requested_by": LONG_NAME, "reason": HOSTILE, "parameters": {}},
        performance_metrics={"models": list(_models(draw, crm, kind, rows))},
    )


def _models(draw: random.Random, crm: str, kind: str, rows: int) -> Iterator[dict[str, Any]]:
    """Of an ``all`` each of its models."""
    names = [name for source, name in ROUTES if source == crm and name != "all"] or ["contacts"]
    for name in names if kind == "all" else [kind]:
        yield {
            "model": name,
            "processed": rows,
            "created": rows // 3,
            "updated": rows // 2,
            "deleted": rows // 90,
            "failed": 0,
            "seconds": {step: draw.uniform(0.1, 90) for step in ("extract", "normalize", "load")},
            "requests": rows // 100 + 1,
            "throttled": rows // 9000,
            "bytes_read": rows * 812,
            "watermark": "2026-11-21T22:58:13.250000+00:00",
            "schema_changes": [f"column {UNBROKEN[:40]} added"] if rows == 480 else [],
            "warning": ERRORS[3] if rows == 12 else "",
        }


def _findings() -> None:
    sentences = {
        "proposed": "hubspot.deals failed 6 of 8 times since 2026-11-21 03:30:00 UTC; pause hubspot?",
        "done": "Every slot was taken for 48 minutes while 31 tasks waited: the limit became 4.",
        "reported": f"arrivy.tasks brought no record in 9 runs. {HOSTILE}",
        "failed": f"{ERRORS[2]} Restarting it was refused.",
    }
    for number, (outcome, sentence) in enumerate(sentences.items()):
        RuleAct.objects.create(
            at=timezone.now() - timedelta(hours=number),
            rule=("restart_failed_sync", "scale_up_resources", "handle_zero_records")[number % 3],
            crm_source="hubspot",
            subject="hubspot.deals",
            sentence=sentence,
            outcome=outcome,
            actor=OPERATOR if outcome == "done" else "",
            result={"limit": {"before": 2, "after": 4}} if outcome == "done" else {},
        )


def _records() -> None:
    audit.record(
        "limit",
        change=ChangeRequest(by=OPERATOR, reason="night"),
        target="worker pool",
        before=2,
        after=5,
    )
    audit.record(
        "schedule_edit",
        change=ChangeRequest(by=LONG_NAME, reason=HOSTILE),
        target="schedule 1",
        before={"name": HOSTILE, "every": 15},
        after={"name": UNBROKEN, "every": 20},
    )
    task = SyncHistory.objects.create(
        crm_source="hubspot",
        sync_type="contacts",
        endpoint=task_name("hubspot", "contacts"),
        status="failed",
        start_time=timezone.now() - timedelta(minutes=31),
        end_time=timezone.now() - timedelta(seconds=8),
        attempt=2,
        worker_pool_task_id="5f1d7a52-0000-4000-8000-00000000abcd",
        error_message=f"{ERRORS[4]} {ERRORS[2]} {HOSTILE}",
        configuration={"requested_by": HOSTILE, "reason": LONG_NAME, "parameters": {"full": True}},
    )
    for attempt, how in ((1, "retry"), (2, "fail")):
        audit.record(
            how,
            change=ChangeRequest(by="celery@warehouse-7", reason=ERRORS[attempt - 1]),
            target=str(task.worker_pool_task_id),
            before={"attempt": attempt, "worker": "celery@warehouse-7"},
        )


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    {"past": past, "queue": queue, "rows": load_customers}[what](*map(int, numbers))
