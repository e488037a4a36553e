"""Requests that repeat another one, as every store must treat them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ingestion.pool.errors import Overlaps
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.task import WorkerTask, utc_now
from tests.contract.stores import ANN, Pool, a_task

COALESCE, REJECT = OnOverlap.COALESCE, OnOverlap.REJECT
TYPES = pytest.mark.parametrize(
    ("there", "new"), [("contacts", "contacts"), ("all", "contacts"), ("contacts", "all")]
)


def ask(pool: Pool, on_overlap: OnOverlap = COALESCE, **fields: Any) -> WorkerTask:
    return pool.store.submit(a_task(**fields), on_overlap=on_overlap)


@pytest.fixture
def full(pool: Pool) -> Pool:
    """Nothing starts but by hand."""
    pool.store.set_limit(1)
    return pool


class TestAllow:
    def test_both_are_stored(self, pool: Pool) -> None:
        assert len({pool.submit(), pool.submit()}) == 2
        assert len(pool.queue()) == 2


class TestCoalesce:
    def test_one_that_waits_coalesces_the_same_request(self, pool: Pool) -> None:
        first = ask(pool)
        new = a_task()
        assert pool.store.submit(new, on_overlap=COALESCE) == first
        assert pool.queue() == [first.id]
        assert pool.store.get(new.id) is None
        assert pool.counter("submitted") == 1

    def test_in_whatever_order_its_parameters_are_given(self, pool: Pool) -> None:
        first = ask(pool, parameters={"full": True, "days": 3})
        assert ask(pool, parameters={"days": 3, "full": True}).id == first.id

    def test_other_parameters_are_another_request(self, pool: Pool) -> None:
        first = ask(pool, parameters={"full": True})
        assert ask(pool).id != first.id
        assert len(pool.queue()) == 2

    def test_other_types_and_other_crms_are_other_requests(self, pool: Pool) -> None:
        for crm, sync_type in (("hubspot", "contacts"), ("hubspot", "deals"), ("genius", "deals")):
            ask(pool, crm_source=crm, sync_type=sync_type)
        assert len(pool.queue()) == 3

    def test_all_that_waits_coalesces_its_single_models(self, pool: Pool) -> None:
        whole = ask(pool, sync_type="all")
        assert ask(pool, sync_type="deals").id == whole.id
        assert ask(pool, crm_source="genius", sync_type="deals").id != whole.id

    def test_a_single_model_does_not_do_what_all_is_for(self, pool: Pool) -> None:
        ask(pool, sync_type="deals")
        ask(pool, sync_type="all")
        assert len(pool.queue()) == 2

    def test_behind_one_that_runs_there_is_at_most_one(self, full: Pool) -> None:
        running = full.held()
        follower = ask(full)
        assert follower.id != running
        assert ask(full).id == follower.id
        assert full.queue() == [follower.id]

    def test_the_higher_priority_counts(self, full: Pool) -> None:
        other, first = full.submit("genius"), ask(full)
        raised = ask(full, priority=5)
        assert (raised.id, raised.priority, raised.revision) == (first.id, 5, 2)
        assert full.queue() == [first.id, other]
        assert ask(full, priority=-5) == raised

    def test_one_that_was_moved_to_the_front_stays_there(self, full: Pool) -> None:
        other, first = full.submit("genius", priority=900), ask(full)
        full.store.move_to_front(first.id)
        assert ask(full, priority=5).priority == 5
        assert full.queue() == [first.id, other]

    def test_the_earlier_time_counts(self, pool: Pool) -> None:
        hour, minute = (utc_now() + timedelta(seconds=s) for s in (3600, 60))
        first = ask(pool, not_before=hour)
        assert ask(pool, not_before=minute).not_before == minute
        assert ask(pool, not_before=hour).not_before == minute
        assert pool.claim() == []
        ask(pool)
        assert pool.claim() == [first.id]

    def test_a_held_one_coalesces_and_stays_held(self, pool: Pool) -> None:
        first = ask(pool)
        pool.store.hold(first.id, change=ANN)
        assert ask(pool, priority=3).is_held
        assert pool.claim() == []

    def test_what_has_ended_or_started_coalesces_nothing(self, pool: Pool) -> None:
        cancelled = ask(pool)
        pool.store.cancel(cancelled.id)
        started = ask(pool)
        assert started.id != cancelled.id
        assert pool.claim() == [started.id]
        assert ask(pool).id not in (started.id, cancelled.id)

    def test_one_that_waits_again_coalesces(self, pool: Pool) -> None:
        task_id = pool.running()
        pool.store.return_to_queue(task_id, attempt=1)
        assert ask(pool).id == task_id

    def test_one_that_was_put_back_coalesces(self, pool: Pool) -> None:
        old = a_task(queued_at=utc_now())
        pool.store.restore([old])
        assert ask(pool).id == old.id

    def test_the_same_id_again_changes_nothing(self, pool: Pool) -> None:
        task = a_task()
        first = pool.store.submit(task, on_overlap=COALESCE)
        assert pool.store.submit(task, on_overlap=COALESCE) == first
        assert pool.store.submit(task, on_overlap=REJECT) == first


class TestReject:
    @TYPES
    def test_one_that_waits_is_named(self, pool: Pool, there: str, new: str) -> None:
        first = ask(pool, sync_type=there, parameters={"full": True})
        with pytest.raises(Overlaps, match=first.id) as caught:
            ask(pool, REJECT, sync_type=new)
        assert caught.value.other_id == first.id
        assert pool.queue() == [first.id]

    @TYPES
    def test_one_that_runs_is_named(self, full: Pool, there: str, new: str) -> None:
        running = full.held(sync_type=there)
        with pytest.raises(Overlaps, match=running):
            ask(full, REJECT, sync_type=new)
        full.finish(running)
        assert ask(full, REJECT, sync_type=new).sync_type == new

    def test_what_does_not_overlap_is_stored(self, pool: Pool) -> None:
        ask(pool, sync_type="contacts")
        ask(pool, REJECT, sync_type="deals")
        ask(pool, REJECT, crm_source="genius", sync_type="all")
        assert len(pool.queue()) == 3
