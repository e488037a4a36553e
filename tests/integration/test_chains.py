"""Tasks that wait for others: started and cancelled with them, whatever is lost meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import InvalidPredecessor, InvalidSubmissions
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.pool.waits import ReasonCode
from ingestion.services.requests.submission import MOST_PREDECESSORS, Submission
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

FAILED = Outcome(TaskStatus.FAILED, "HTTP 401 from the CRM")
AGAIN = Outcome(TaskStatus.FAILED, "HTTP 503 from the CRM", retry_in_seconds=0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def follower_of(bench: FailoverTestbed, *task_ids: str) -> str:
    return bench.pool.submit_task("hubspot", "contacts", after=task_ids)


def confirmed(bench: FailoverTestbed) -> str:
    task_id = bench.submit()
    bench.confirm(task_id)
    return task_id


def is_running(bench: FailoverTestbed, task_id: str) -> bool:
    return bench.task(task_id).status == TaskStatus.RUNNING


def test_it_is_sent_when_the_last_one_has_completed(bench: FailoverTestbed) -> None:
    first, second = confirmed(bench), confirmed(bench)
    follower = follower_of(bench, first, second)
    bench.finish(first)
    assert bench.task(follower).status == TaskStatus.QUEUED
    bench.finish(second)
    assert is_running(bench, follower)
    assert bench.row(follower).status == "running"
    assert bench.row(follower).configuration["after"] == {
        first: "genius.leads",
        second: "genius.leads",
    }


def test_it_says_for_what_it_waits(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    follower = follower_of(bench, first)
    found = bench.pool.explain(follower)
    assert (found.reason.code, found.position, found.start) == (ReasonCode.AFTER, None, None)
    assert found.reason.sentence == f"It waits for genius.leads {first}."
    assert bench.pool.snapshot().waits[follower].reason == found.reason
    asked = Submission("hubspot", "deals", after=[first])
    assert (
        bench.pool.forecast(asked).sentence == f"It would wait. It waits for genius.leads {first}."
    )


def test_a_failure_cancels_the_whole_chain(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    second = follower_of(bench, first)
    third = follower_of(bench, second)
    bench.finish(first, FAILED)
    said = "Cancelled: {route} {id}, for which it waited, {how}."
    assert bench.task(second).status == bench.task(third).status == TaskStatus.CANCELLED
    why = said.format(route="genius.leads", id=first, how="has failed")
    assert (bench.row(second).status, bench.row(second).error_message) == ("cancelled", why)
    why = said.format(route="hubspot.contacts", id=second, how="was cancelled")
    assert (bench.row(third).status, bench.row(third).error_message) == ("cancelled", why)
    assert AuditRecord.objects.filter(action="cancel", target=third).get().reason == why


def test_a_cancelled_predecessor_cancels_it(bench: FailoverTestbed) -> None:
    first = bench.submit()
    follower = follower_of(bench, first)
    bench.pool.cancel_task(first, change=ChangeRequest(by="ann"))
    assert bench.row(follower).status == "cancelled"


def test_a_failure_that_is_tried_again_cancels_nothing(bench: FailoverTestbed) -> None:
    first = bench.submit(max_attempts=2)
    bench.confirm(first)
    follower = follower_of(bench, first)
    bench.finish(first, AGAIN)
    assert bench.task(follower).status == TaskStatus.QUEUED
    bench.confirm(first)
    bench.finish(first)
    assert is_running(bench, follower)


def test_what_cannot_be_waited_for_is_refused(bench: FailoverTestbed) -> None:
    failed, cancelled = confirmed(bench), bench.submit()
    bench.finish(failed, FAILED)
    bench.pool.cancel_task(cancelled)
    for task_id, sentence in [
        ("nobody", "nothing is known of it"),
        (failed, "has failed"),
        (cancelled, "was cancelled"),
    ]:
        with pytest.raises(InvalidPredecessor, match=f"{task_id}.*{sentence}"):
            follower_of(bench, task_id)
    with pytest.raises(InvalidPredecessor, match="list of task ids"):
        bench.pool.submit_task("hubspot", "contacts", after=failed)
    with pytest.raises(InvalidPredecessor, match=f"may name {MOST_PREDECESSORS} tasks"):
        follower_of(bench, *map(str, range(MOST_PREDECESSORS + 1)))
    with pytest.raises(InvalidPredecessor, match="coalesced"):
        bench.pool.submit_task(
            "hubspot", "contacts", after=[bench.submit()], on_overlap=OnOverlap.COALESCE
        )
    assert SyncHistory.objects.filter(crm_source="hubspot").count() == 0


def test_of_many_the_wrong_ones_are_named(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    good = Submission("hubspot", "contacts", after=[first])
    wrong = Submission("hubspot", "contacts", after=["nobody"])
    with pytest.raises(InvalidSubmissions, match=r"2: hubspot.contacts cannot wait for .*nobody"):
        bench.pool.submit_many([good, wrong])
    (made,) = bench.pool.submit_many([good])
    assert bench.task(made.to_dict()["task_id"]).after == {first: "genius.leads"}


def test_what_has_completed_long_ago_counts_as_met(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    bench.finish(first)
    bench.pool.cleanup_completed_tasks(max_age_minutes=0)
    assert bench.pool.get_task_status(first) is None
    assert is_running(bench, follower_of(bench, first))


def test_it_goes_on_waiting_after_a_flush(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    follower = follower_of(bench, first)
    bench.redis.flushall()
    assert bench.task(follower).after == {first: "genius.leads"}
    bench.pool.run_monitor_round()
    assert bench.task(follower).status == TaskStatus.QUEUED
    bench.finish(first)
    assert is_running(bench, follower)


def test_the_repairs_read_in_the_ledger_what_redis_has_forgotten(bench: FailoverTestbed) -> None:
    done, failed = confirmed(bench), confirmed(bench)
    goes_on, ends = follower_of(bench, done), follower_of(bench, failed)
    SyncHistory.objects.filter(worker_pool_task_id=done).update(status="success", ended_us=0)
    SyncHistory.objects.filter(worker_pool_task_id=failed).update(status="failed", ended_us=0)
    bench.redis.flushall()
    bench.pool.run_monitor_round()
    assert is_running(bench, goes_on)
    assert bench.task(ends).status == TaskStatus.CANCELLED
    assert bench.row(ends).status == "cancelled"


def test_it_waits_while_the_ledger_decides_and_back(bench: FailoverTestbed) -> None:
    first, second = confirmed(bench), confirmed(bench)
    follower = follower_of(bench, first)
    bench.lose_redis()
    later = follower_of(bench, second)
    assert bench.task(follower).after == {first: "genius.leads"}
    assert bench.pool.snapshot().held_count == 2
    assert bench.pool.process_queue() == 0
    bench.finish(first)
    assert bench.task(follower).after == {}
    bench.bring_redis_back()
    assert bench.task(later).after == {second: "genius.leads"}
    bench.finish(second, FAILED)
    assert bench.task(later).status == TaskStatus.CANCELLED
    assert is_running(bench, follower)


def test_a_failure_while_the_ledger_decides_cancels_it(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    follower = follower_of(bench, first)
    bench.lose_redis()
    bench.finish(first, FAILED)
    assert bench.row(follower).status == "cancelled"


def test_another_process_finds_all_of_it(bench: FailoverTestbed) -> None:
    first = confirmed(bench)
    follower = follower_of(bench, first)
    other = bench.another_process()
    other.finish_task(first, attempt=1, outcome=Outcome(TaskStatus.COMPLETED))
    assert is_running(bench, follower)


def test_a_long_chain_is_cancelled_by_the_rounds_that_follow(
    bench: FailoverTestbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.services.tasks.repairs.CANCELLED_AT_ONCE", 2)
    first = confirmed(bench)
    chain = [first]
    for _ in range(6):
        chain.append(follower_of(bench, chain[-1]))
    bench.finish(first, FAILED)
    for _ in range(3):
        bench.pool.run_monitor_round()
    assert {bench.task(i).status for i in chain[1:]} == {TaskStatus.CANCELLED}
