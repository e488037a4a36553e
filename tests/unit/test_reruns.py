"""Several runs of the history are run again together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member, program
from tests.unit.pool_shell import pool_in_memory


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service


def ended(sync_type: str, status: str = "failed", **parameters: Any) -> int:
    row = SyncHistory.objects.create(
        crm_source="hubspot",
        sync_type=sync_type,
        status=status,
        end_time=None if status == "running" else timezone.now(),
        configuration={"parameters": parameters, "priority": 3},
    )
    return int(row.pk)


def again(client: Client, ids: Any) -> Any:
    sent = {"ids": ids, "reason": "the CRM is back"}
    return client.post("/api/history/retry", sent, content_type="application/json")


def test_each_is_submitted_as_it_was(pool: WorkerPoolService) -> None:
    answer = again(program("operate"), [ended("deals", full=True), ended("contacts")])
    assert answer.status_code == 201
    tasks = [pool.get_task_status(task_id) for task_id in answer.json()["submitted"]]
    assert [(t.route, t.parameters, t.priority, t.requested_by) for t in tasks if t] == [
        ("hubspot.deals", {"full": True}, 3, "token ci"),
        ("hubspot.contacts", {}, 3, "token ci"),
    ]


def test_what_two_of_them_asked_waits_once(pool: WorkerPoolService) -> None:
    for _ in range(2):
        pool.submit_task("five9", "contacts")  # every slot is taken
    answer = again(program("operate"), [ended("deals") for _ in range(3)])
    assert (len(answer.json()["submitted"]), answer.json()["coalesced"]) == (1, 2)
    assert len(pool.get_queued_tasks()) == 1


@pytest.mark.parametrize(("status", "said"), [("running", 409), (None, 404)])
def test_none_is_submitted_unless_all_have_ended(
    pool: WorkerPoolService, status: str | None, said: int
) -> None:
    wrong = ended("contacts", status) if status else 10_000
    answer = again(program("operate"), [ended("deals"), wrong])
    assert answer.status_code == said
    assert not pool.get_active_tasks()


@pytest.mark.parametrize("wrong", [[], [0], ["1"], [1] * 201, 1, None])
def test_what_are_no_ids_is_refused(pool: WorkerPoolService, wrong: Any) -> None:
    assert again(program("operate"), wrong).status_code == 422


@pytest.mark.parametrize(("group", "boxes"), [("Operators", 1), ("Viewers", 0)])
def test_runs_that_have_ended_can_be_marked_by_operators(
    pool: WorkerPoolService, group: str, boxes: int
) -> None:
    ended("deals"), ended("contacts", "running")
    page = browser(member(group)).get("/history/").content.decode()
    assert page.count("data-run=") == boxes
    assert page.count("history_again.js") == boxes
