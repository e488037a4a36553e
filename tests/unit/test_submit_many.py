"""Many submissions at once, through the service."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    InvalidPriority,
    InvalidSubmission,
    InvalidSubmissions,
    Overlaps,
    PoolUnavailable,
    UnknownSource,
)
from ingestion.pool.store import PAGE
from ingestion.services.requests.submission import Submission, Submitted
from ingestion.services.tasks.submissions import MOST_AT_ONCE, Refused
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


def test_all_are_accepted_in_their_order_and_the_first_start(bench: Bench) -> None:
    asked = [Submission("genius", "leads", {"max_records": n}, reason="nightly") for n in range(5)]
    found = bench.pool.submit_many(asked)
    ids = [became.task_id for became in found if isinstance(became, Submitted)]
    assert bench.broker.ids == ids[:2]
    assert [task.id for task in bench.pool.get_queued_tasks()] == ids[2:]
    rows = SyncHistory.objects.order_by("pk")
    assert [row.worker_pool_task_id for row in rows] == ids
    assert [task.sync_history_id for task in bench.pool.get_queued_tasks()] == [
        row.pk for row in rows
    ][2:]
    records = AuditRecord.objects.filter(action="submit")
    assert {record.target for record in records} == set(ids)
    assert {record.reason for record in records} == {"nightly"}


def test_one_that_is_wrong_refuses_all_and_each_is_named(bench: Bench) -> None:
    asked = [
        Submission("genius", "leads"),
        Submission("geniuss", "leads"),
        Submission("genius", "leads", priority=5000),
    ]
    with pytest.raises(InvalidSubmissions, match=r"(?s)2: .*geniuss.* 3: .*priority") as caught:
        bench.pool.submit_many(asked)
    assert [(place, type(why)) for place, why in caught.value.wrong] == [
        (1, UnknownSource),
        (2, InvalidPriority),
    ]
    assert not SyncHistory.objects.exists()
    assert bench.pool.get_stats()["active_count"] == 0


def test_what_overlaps_is_refused_or_coalesced_alone_and_leaves_no_row(bench: Bench) -> None:
    bench.pool.pause(change=ChangeRequest(by="ann"))
    asked = [
        Submission("genius", "leads"),
        Submission("genius", "leads", on_overlap="coalesce", priority=3),
        Submission("genius", "leads", on_overlap="reject"),
        Submission("genius", "users"),
    ]
    first, coalesced, refused, last = bench.pool.submit_many(asked)
    assert isinstance(first, Submitted)
    assert isinstance(coalesced, Submitted)
    assert coalesced.coalesced_into == first.task_id
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, Overlaps)
    assert refused.error.other_id == first.task_id
    assert isinstance(last, Submitted)
    assert SyncHistory.objects.count() == 2
    assert AuditRecord.objects.filter(action="submit").count() == 2
    assert bench.pool.get_task_status(first.task_id).priority == 3


def test_a_pool_that_is_away_accepts_none_and_keeps_no_row(bench: Bench) -> None:
    bench.store.is_lost = True
    with pytest.raises(PoolUnavailable, match="Nothing was submitted"):
        bench.pool.submit_many([Submission("genius", "leads")] * 3)
    assert not SyncHistory.objects.exists()


def test_a_pool_that_is_lost_between_two_pages_keeps_the_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_many = bench.store.submit_many

    def once(tasks: object, **options: object) -> object:
        if bench.store.is_lost:
            raise PoolUnavailable("connection refused")
        bench.store.is_lost = True
        return submit_many(tasks, **options)

    monkeypatch.setattr(bench.store, "submit_many", once, raising=False)
    monkeypatch.setattr("ingestion.services.tasks.submissions.PAGE", 2)
    *first, third = bench.pool.submit_many([Submission("genius", "leads")] * 3)
    assert [type(became) for became in first] == [Submitted, Submitted]
    assert isinstance(third, Refused)
    assert isinstance(third.error, PoolUnavailable)
    assert SyncHistory.objects.count() == 2


def test_too_many_are_refused(bench: Bench) -> None:
    with pytest.raises(InvalidSubmission, match=r"10001 .* 10000 are allowed"):
        bench.pool.submit_many([Submission("genius", "leads")] * (MOST_AT_ONCE + 1))


def statements(bench: Bench, count: int) -> int:
    bench.pool.pause(change=ChangeRequest(by="ann"))
    with CaptureQueriesContext(connection) as queries:
        bench.pool.submit_many([Submission("genius", "leads")] * count)
    return len(queries)


def test_a_page_costs_few_statements(bench: Bench) -> None:
    """SQLite takes some thirty rows in one, PostgreSQL all."""
    assert statements(bench, PAGE) < PAGE / 8
