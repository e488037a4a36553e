"""Many submissions at once, as every store must treat them: like one after the other."""

from __future__ import annotations

import itertools

from ingestion.pool.errors import Overlaps
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.store import PAGE, PoolPolicy
from ingestion.pool.task import WorkerTask
from tests.contract.stores import Pool, a_task, memory_pool

Asked = tuple[WorkerTask, OnOverlap]


def of_every_kind() -> list[Asked]:
    """Two CRMs, one model and ``all``, two sets of parameters, every way to overlap; twice."""
    kinds = itertools.product(
        ("hubspot", "genius"), ("contacts", "all"), ({}, {"full": True}), OnOverlap, (0, 5)
    )
    return [
        (a_task(crm, kind, parameters=dict(parameters), priority=priority), on_overlap)
        for crm, kind, parameters, on_overlap, priority in kinds
    ]


def one_by_one(pool: Pool, asked: list[Asked]) -> list[str]:
    found = []
    for task, on_overlap in asked:
        try:
            found.append(pool.store.submit(task, on_overlap=on_overlap).id)
        except Overlaps as refusal:
            found.append(f"overlaps {refusal.other_id}")
    return found


def at_once(pool: Pool, asked: list[Asked]) -> list[str]:
    return [
        f"overlaps {answer.other_id}" if isinstance(answer, Overlaps) else answer.id
        for answer in pool.store.submit_many(asked)
    ]


def test_each_becomes_what_it_would_alone(pool: Pool) -> None:
    asked, alone = of_every_kind(), memory_pool(PoolPolicy())
    found = one_by_one(alone, asked)
    refused = [answer for answer in found if answer.startswith("overlaps")]
    assert 0 < len(alone.queue()) < len(asked) - len(refused) < len(asked)
    assert at_once(pool, asked) == found
    assert pool.queue() == alone.queue()
    for task_id in pool.queue():
        assert pool.task(task_id).priority == alone.task(task_id).priority


def test_they_start_in_the_order_in_which_they_were_given(pool: Pool) -> None:
    ids = [f"t{number:03}" for number in reversed(range(PAGE))]
    pool.store.submit_many([(a_task(id=task_id), OnOverlap.ALLOW) for task_id in ids])
    assert pool.queue() == ids
    assert pool.counter("submitted") == PAGE


def test_the_same_ones_again_change_nothing(pool: Pool) -> None:
    asked = of_every_kind()
    first = at_once(pool, asked)
    queue, submitted = pool.queue(), pool.counter("submitted")
    stored = [one for one in asked if one[0].id in first]
    assert at_once(pool, stored) == [task.id for task, _ in stored]
    assert (pool.queue(), pool.counter("submitted")) == (queue, submitted)


def test_none_at_all(pool: Pool) -> None:
    assert pool.store.submit_many([]) == ()
    assert pool.queue() == []
