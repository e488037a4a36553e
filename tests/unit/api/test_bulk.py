"""One action on several tasks that are named, as somebody marks rows of a table."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ingestion.models import AuditRecord
from ingestion.services.tasks.bulk import TaskFilter
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.api.calls import post


@pytest.fixture
def ids(pool: WorkerPoolService) -> list[str]:
    """Two that run, then three that wait."""
    return [pool.submit_task("hubspot", "deals") for _ in range(5)]


def do(client: Client, action: str, ids: list[str], **more: Any) -> Any:
    asked = {"action": action, "filter": {"ids": ids}, **more}
    found = post(client, "/bulk/preview", asked).json()
    return found, post(client, "/bulk", {**asked, "digest": found["digest"]}).json()


def test_the_named_ones_are_changed_and_no_others(
    pool: WorkerPoolService, operator: Client, ids: list[str]
) -> None:
    found, done = do(operator, "cancel", ids[2:4], reason="month end")
    assert (found["count"], done) == (2, {"done": 2, "conflicts": []})
    assert [task.id for task in pool.get_queued_tasks()] == ids[4:]
    record = AuditRecord.objects.get(action="cancel_many")
    assert (record.before["filter"], record.reason) == ({"ids": ids[2:4]}, "month end")


def test_a_running_one_is_only_cancelled(
    pool: WorkerPoolService, operator: Client, ids: list[str]
) -> None:
    found, done = do(operator, "hold", [ids[0], ids[2]])
    assert (found["count"], [task["id"] for task in found["sample"]]) == (1, [ids[2]])
    assert done == {"done": 1, "conflicts": []}
    assert do(operator, "cancel", [ids[0], ids[2]])[0]["count"] == 2


def test_they_keep_their_order_at_the_front(
    pool: WorkerPoolService, operator: Client, ids: list[str]
) -> None:
    do(operator, "move_to_front", [ids[3], ids[4]])
    assert [task.id for task in pool.get_queued_tasks()] == [ids[3], ids[4], ids[2]]


def test_what_has_ended_or_never_was_is_not_meant(
    pool: WorkerPoolService, operator: Client, ids: list[str]
) -> None:
    pool.cancel_task(ids[2])
    found, done = do(operator, "prioritize", [ids[2], ids[3], ids[3], "nobody"], priority=7)
    assert (found["count"], done["done"]) == (1, 1)
    task = pool.get_task_status(ids[3])
    assert task is not None
    assert task.priority == 7


def test_one_that_changes_meanwhile_stops_all(
    pool: WorkerPoolService, operator: Client, ids: list[str]
) -> None:
    asked = {"action": "hold", "filter": {"ids": ids[2:4]}}
    digest = post(operator, "/bulk/preview", asked).json()["digest"]
    pool.set_priority(ids[3], 9)
    answer = post(operator, "/bulk", {**asked, "digest": digest})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    assert not [task for task in pool.get_queued_tasks() if task.is_held]


def test_other_filters_hold_too(pool: WorkerPoolService, operator: Client, ids: list[str]) -> None:
    asked = {"action": "cancel", "filter": {"ids": ids, "status": "queued"}}
    assert post(operator, "/bulk/preview", asked).json()["count"] == 3


def test_none_is_none_and_not_all(pool: WorkerPoolService, operator: Client) -> None:
    pool.submit_task("hubspot", "deals")
    asked: dict[str, Any] = {"action": "cancel", "filter": {"ids": []}}
    assert post(operator, "/bulk/preview", asked).json()["count"] == 0


@pytest.mark.parametrize("wrong", [["x"] * 501, [""], ["x" * 65], ["a\u0000"], "x", [1]])
def test_what_cannot_be_ids_is_refused(operator: Client, wrong: Any) -> None:
    asked = {"action": "cancel", "filter": {"ids": wrong}}
    assert post(operator, "/bulk/preview", asked).status_code == 422


def test_the_queue_is_not_read_for_a_few(
    pool: WorkerPoolService, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(**page: Any) -> Any:
        raise AssertionError("the whole queue was read")

    monkeypatch.setattr(pool.store, "queued", read)
    assert pool.select(TaskFilter(ids=tuple(ids[2:3]))).count == 1
