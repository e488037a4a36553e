"""The order rule is changed while tasks wait, as every store must keep it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from redis import Redis

from ingestion.pool import order_rule
from ingestion.pool.keys import PoolKeys
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from tests.contract.stores import AGAIN, ANN, OpenPool, Pool, a_task

HOURLY, STRICT = PoolPolicy(priority_aging_seconds=3600), PoolPolicy(priority_aging_seconds=0)
TO_STRICT, TO_HOURLY = PriorityAging(0, revision=1), PriorityAging(3600, revision=1)


def change(pool: Pool, aging: PriorityAging) -> None:
    pool.store.set_priority_aging(aging)
    while pool.store.rescore(at_most=2):
        pass


def hours_apart(pool: Pool, *priorities: int) -> list[str]:
    """Tasks of these priorities, each submitted an hour after the one before."""
    ids = []
    for number, priority in enumerate(priorities):
        ids.append(pool.submit(("hubspot", "genius")[number % 2], priority=priority))
        pool.let_pass(3600)
    return ids


class TestToStrict:
    def test_a_new_low_one_stays_behind_a_waiting_high_one(self, open_pool: OpenPool) -> None:
        """By the two scales it came first."""
        pool = open_pool(HOURLY)
        waiting = pool.submit(priority=5)
        change(pool, TO_STRICT)
        new = pool.submit(priority=-10)
        assert pool.queue() == [waiting, new]

    def test_what_waits_stands_by_priority_alone(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        a, b, c, d, e = hours_apart(pool, 0, 1, 3, -5, 0)
        assert pool.queue() == [c, a, b, e, d]
        change(pool, TO_STRICT)
        assert pool.queue() == [c, b, a, e, d]

    def test_those_of_one_millisecond_keep_their_order(self, open_pool: OpenPool) -> None:
        """Strict scores are milliseconds; places are µs apart."""
        pool = open_pool(HOURLY)
        moment = utc_now() - timedelta(hours=1)
        tasks = [a_task(("b", "a", "c")[n % 3], queued_at=moment) for n in range(50)]
        pool.store.restore(tasks)
        ids = pool.queue()
        assert ids == [task.id for task in tasks]
        change(pool, TO_STRICT)
        assert pool.queue() == ids
        assert [t.id for t in pool.store.snapshot(queue_limit=7).queued] == ids[:7]
        for offset in (0, 1, 6, 43, 49):
            found = pool.store.queued(offset=offset, limit=7)
            assert [task.id for task in found] == ids[offset : offset + 7]
        assert [task.id for task in pool.store.clear_queue(change=ANN, limit=9)] == ids[:9]
        pool.store.move_to_front(ids[30])
        pool.store.set_limit(100, change=ANN)
        assert pool.claim() == [ids[30], *ids[9:30], *ids[31:]]


class TestToAging:
    def test_a_new_high_one_comes_before_a_waiting_low_one(self, open_pool: OpenPool) -> None:
        """By the two scales it came last."""
        pool = open_pool(STRICT)
        waiting = pool.submit(priority=-10)
        change(pool, TO_HOURLY)
        new = pool.submit(priority=0)
        assert pool.queue() == [new, waiting]

    def test_what_has_waited_counts_from_its_submission(self, open_pool: OpenPool) -> None:
        pool = open_pool(STRICT)
        a, b, c, d, e = hours_apart(pool, 0, 1, 3, -5, 0)
        assert pool.queue() == [c, b, a, e, d]
        change(pool, TO_HOURLY)
        assert pool.queue() == [c, a, b, e, d]


BOTH = pytest.mark.parametrize(
    ("policy", "aging"), [(HOURLY, TO_STRICT), (STRICT, TO_HOURLY)], ids=["to strict", "to aging"]
)


class TestChange:
    @BOTH
    def test_the_front_stays_the_front_in_its_order(
        self, open_pool: OpenPool, policy: PoolPolicy, aging: PriorityAging
    ) -> None:
        pool = open_pool(policy)
        a, b, c, d = hours_apart(pool, 0, -1000, 1000, 7)
        pool.store.move_to_front(a)
        pool.store.move_to_front(b)
        change(pool, aging)
        urgent = pool.submit(priority=1000)
        assert pool.queue() == [b, a, c, urgent, d]
        pool.store.move_to_front(d)
        assert pool.queue() == [d, b, a, c, urgent]

    @BOTH
    def test_what_stood_in_no_queue_comes_back_by_the_new_rule(
        self, open_pool: OpenPool, policy: PoolPolicy, aging: PriorityAging
    ) -> None:
        pool = open_pool(policy)
        pool.store.set_limit(1, change=ANN)
        again = pool.held(max_attempts=2)
        held, waiting = pool.submit(priority=1), pool.submit(priority=2)
        in_a_minute = pool.task(waiting).queued_at + timedelta(seconds=60)
        delayed = pool.submit(priority=3, not_before=in_a_minute)
        pool.store.hold(held, change=ANN)
        change(pool, aging)
        pool.store.pause(None, change=ANN)
        pool.store.release(held, change=ANN)
        pool.finish(again, AGAIN)
        pool.let_pass(61)
        pool.store.reap()
        assert pool.queue() == [delayed, waiting, held, again]

    def test_only_a_later_revision_counts(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        change(pool, PriorityAging(0, revision=2, set_by="ann", reason="night"))
        for late in (PriorityAging(60, revision=1), PriorityAging(60, revision=2, set_by="bob")):
            change(pool, late)
        found = pool.store.controls().priority_aging
        assert found == PriorityAging(0, revision=2, set_by="ann", reason="night")

    def test_before_one_is_agreed_it_is_that_of_the_settings(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(priority_aging_seconds=65))
        pool.submit()
        assert pool.store.controls().priority_aging == PriorityAging(65, revision=0)
        assert pool.store.snapshot().controls.priority_aging.seconds == 65

    def test_no_task_is_changed_by_it(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        ids = hours_apart(pool, 0, 4, -4)
        before = [pool.task(task_id) for task_id in ids]
        change(pool, TO_STRICT)
        assert [pool.task(task_id) for task_id in ids] == before

    def test_a_limit_that_is_set_leaves_it(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        change(pool, TO_STRICT)
        assert pool.store.set_limit(3, change=ANN).priority_aging == TO_STRICT
        assert pool.store.pause(None, change=ANN).priority_aging == TO_STRICT


class TestMeanwhile:
    """Between two pages, in a store that has any."""

    def test_a_submission_has_its_place_by_the_new_rule(self, open_pool: OpenPool) -> None:
        pool = open_pool(STRICT)
        low, high = hours_apart(pool, -10, 3)
        pool.store.set_priority_aging(TO_HOURLY)
        pool.store.rescore(at_most=1)
        new = pool.submit(priority=0)
        while pool.store.rescore(at_most=1):
            pass
        assert pool.queue() == [high, new, low]

    def test_what_operators_do_then_holds(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        a, b, c, d, e = hours_apart(pool, 0, 1, 2, 3, 4)
        pool.store.hold(b, change=ANN)
        pool.store.set_priority_aging(TO_STRICT)
        pool.store.rescore(at_most=1)
        pool.store.move_to_front(a)
        pool.store.release(b, change=ANN)
        pool.store.prioritize(c, priority=9)
        pool.store.cancel(d, change=ANN)
        while pool.store.rescore(at_most=1):
            pass
        assert pool.queue() == [a, c, e, b]

    def test_a_second_change_begins_again(self, open_pool: OpenPool) -> None:
        pool = open_pool(HOURLY)
        a, b, c = hours_apart(pool, 0, 1, 3)
        pool.store.set_priority_aging(TO_STRICT)
        pool.store.rescore(at_most=1)
        change(pool, PriorityAging(3600, revision=2))
        assert pool.queue() == [c, a, b]


class TestRedis:
    """Only there scores are kept, and other processes come along."""

    def test_nothing_starts_before_all_have_their_place(self, redis_only: Pool) -> None:
        redis_only.store.set_limit(1, change=ANN)
        running = redis_only.held()
        low, high = hours_apart(redis_only, 0, 1)
        redis_only.store.set_priority_aging(TO_STRICT)
        redis_only.finish(running)
        assert redis_only.store.rescore(at_most=1)
        assert redis_only.store.controls().priority_aging.is_rescoring
        assert redis_only.claim() == []
        assert redis_only.store.rescore(at_most=1)
        assert not redis_only.store.rescore(at_most=1)
        assert not redis_only.store.controls().priority_aging.is_rescoring
        assert redis_only.claim() == [high]
        assert redis_only.queue() == [low]

    @BOTH
    @pytest.mark.parametrize("pages", [0, 1, 2, 5, 6])
    def test_another_process_goes_on_after_a_crash(
        self,
        open_redis_pool: OpenPool,
        policy: PoolPolicy,
        aging: PriorityAging,
        pages: int,
    ) -> None:
        pool, other = open_redis_pool(policy), open_redis_pool(policy)
        ids = hours_apart(pool, 0, 1, 3, -5, 0)
        pool.store.set_priority_aging(aging)
        for _ in range(pages):
            pool.store.rescore(at_most=1)
        while other.store.rescore(at_most=2):
            assert other.claim() == []
        a, b, c, d, e = ids
        expected = [c, b, a, e, d] if aging == TO_STRICT else [c, a, b, e, d]
        assert other.queue() == expected

    def test_a_process_with_other_settings_goes_by_the_rule_in_force(
        self, open_redis_pool: OpenPool
    ) -> None:
        hourly, strict = open_redis_pool(HOURLY), open_redis_pool(STRICT)
        first = hourly.submit(priority=0)
        hourly.let_pass(3600)
        strict.let_pass(3600)
        second = strict.submit(priority=1)
        third = hourly.submit(priority=1)
        assert strict.queue() == [first, second, third]

    def test_many_of_one_microsecond_are_one_page(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        ids = sorted(redis_only.submit() for _ in range(7))
        moment = int(client.zscore(keys.waiting, ids[0]))
        for task_id in ids:
            client.hset(keys.task(task_id), "queued_at", moment)
            client.zadd(keys.waiting, {task_id: moment})
        redis_only.store.set_priority_aging(TO_STRICT)
        assert redis_only.store.rescore(at_most=2)
        assert not redis_only.store.rescore(at_most=2)
        assert redis_only.queue() == ids

    @pytest.mark.parametrize("stored", [b"", b"7", b"[]", b"{}", b"what is this"])
    def test_a_rule_that_cannot_be_read_is_written_anew(
        self, redis_only: Pool, client: Redis, keys: PoolKeys, stored: bytes
    ) -> None:
        first = redis_only.submit()
        client.hset(keys.config, "priority_aging", stored)
        second = redis_only.submit(priority=1)
        assert redis_only.queue() == [second, first]
        assert redis_only.store.controls().priority_aging == PriorityAging(3600)

    def test_the_coefficients_of_an_earlier_release_are_replaced(
        self,
        redis_only: Pool,
        client: Redis,
        keys: PoolKeys,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # It named no formula, and a level was worth a second.
        old = {**json.loads(HOURLY.default_aging.to_json()), "level": 1_000_000}
        del old["formula"]
        client.hset(keys.config, "priority_aging", json.dumps(old))
        first, second = hours_apart(redis_only, 0, 5)
        redis_only.store.set_priority_aging(HOURLY.default_aging)
        assert json.loads(client.hget(keys.config, "priority_aging")) == old
        assert redis_only.queue() == [first, second]
        monkeypatch.setattr(order_rule, "FORMULA", 2)
        change(redis_only, HOURLY.default_aging)
        assert redis_only.queue() == [second, first]

    def test_an_earlier_release_does_not_bring_its_coefficients_back(
        self,
        redis_only: Pool,
        client: Redis,
        keys: PoolKeys,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        redis_only.store.set_priority_aging(TO_STRICT)
        monkeypatch.setattr(order_rule, "FORMULA", 2)
        redis_only.store.set_priority_aging(TO_STRICT)
        monkeypatch.setattr(order_rule, "FORMULA", 1)
        redis_only.store.set_priority_aging(TO_STRICT)
        assert json.loads(client.hget(keys.config, "priority_aging"))["formula"] == 2

    def test_a_broken_task_does_not_stop_it(
        self, redis_only: Pool, client: Redis, keys: PoolKeys
    ) -> None:
        first, broken, last = (redis_only.submit() for _ in range(3))
        client.hdel(keys.task(broken), "crm_source")
        change(redis_only, TO_STRICT)
        assert redis_only.queue() == [first, last]
        assert set(redis_only.store.snapshot().dead_letters) == {broken}
