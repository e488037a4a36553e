"""Why a task waits and when it will start, as every store's snapshot tells it."""

from __future__ import annotations

from datetime import timedelta

from ingestion.pool.change import ChangeRequest
from ingestion.pool.snapshot import Explanation, PoolSnapshot
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from ingestion.services.waiting.explainer import Explainer
from ingestion.services.waiting.run_times import RunTimes
from tests.contract.stores import ANN, OpenPool, Pool, memory_pool

RUN_SECONDS = 600


def explained(pool: Pool, queue_limit: int = 100) -> PoolSnapshot:
    """Every past run took ten minutes."""
    times = RunTimes(lambda crm, kind: [RUN_SECONDS] * 100)
    explainer = Explainer(times, default_max_workers=2)
    return explainer.explained(pool.store.snapshot(queue_limit=queue_limit))


def wait_of(pool: Pool, task_id: str) -> Explanation:
    return explained(pool).waits[task_id]


def holders(found: Explanation) -> set[str]:
    return {holder.id for holder in found.reason.holders}


def starts_in(found: Explanation, pool: Pool) -> tuple[float, float]:
    """Seconds from now."""
    assert found.start is not None
    now = pool.store.snapshot(queue_limit=0).taken_at
    earliest, latest = found.start.earliest - now, found.start.latest - now
    return earliest.total_seconds(), latest.total_seconds()


class TestReasons:
    def test_every_slot_is_taken(self, pool: Pool) -> None:
        running = {pool.held(), pool.held()}
        first, second = pool.submit(), pool.submit("genius")
        found = wait_of(pool, second)
        assert (found.reason.code, found.position) == ("pool_full", 2)
        assert holders(found) == running
        assert found.reason.since == max(pool.task(task_id).started_at for task_id in running)  # type: ignore[type-var]
        earliest, latest = starts_in(wait_of(pool, first), pool)
        assert 0 < earliest < latest < 2 * RUN_SECONDS

    def test_the_crm_is_at_its_limit(self, pool: Pool) -> None:
        pool.store.set_limit(
            1, change=ChangeRequest(by="ann", reason="slow API"), crm_source="hubspot"
        )
        running = pool.held()
        waiting = pool.submit()
        found = wait_of(pool, waiting)
        assert (found.reason.code, found.reason.by) == ("crm_limit", "ann")
        assert holders(found) == {running}
        assert "slow API" in found.reason.sentence
        assert starts_in(found, pool)[1] > 0

    def test_a_full_pool_is_not_the_reason_where_the_limit_is(self, pool: Pool) -> None:
        pool.store.set_limit(1, change=ANN, crm_source="hubspot")
        pool.held()
        pool.held(crm_source="genius")
        blocked, other = pool.submit("hubspot"), pool.submit("five9")
        found = explained(pool).waits
        assert (found[blocked].reason.code, found[other].reason.code) == ("crm_limit", "pool_full")

    def test_the_crm_is_paused(self, pool: Pool) -> None:
        end = utc_now() + timedelta(hours=1)
        pool.store.pause(
            "hubspot",
            change=ChangeRequest(by="ann", reason="new token"),
            expires_at=end,
        )
        found = wait_of(pool, pool.submit())
        assert (found.reason.code, found.reason.by, found.reason.until) == (
            "crm_paused",
            "ann",
            end,
        )
        earliest, latest = starts_in(found, pool)
        assert 3500 < earliest <= latest < 3700

    def test_the_pool_is_paused_for_good(self, pool: Pool) -> None:
        pool.store.pause(None, change=ChangeRequest(by="ann", reason="deployment"))
        found = wait_of(pool, pool.submit())
        assert (found.reason.code, found.start) == ("pool_paused", None)
        assert "deployment" in found.reason.sentence

    def test_it_is_held(self, pool: Pool) -> None:
        task_id = pool.submit()
        pool.store.hold(task_id, change=ChangeRequest(by="ann", reason="wait for the import"))
        found = wait_of(pool, task_id)
        assert (found.reason.code, found.reason.by, found.position) == ("held", "ann", None)
        assert found.reason.since == pool.task(task_id).held_at
        assert found.start is None

    def test_its_time_has_not_come(self, pool: Pool) -> None:
        when = utc_now() + timedelta(hours=2)
        found = wait_of(pool, pool.submit(not_before=when))
        assert (found.reason.code, found.position) == ("not_before", None)
        assert abs((found.reason.until or utc_now()) - when) < timedelta(milliseconds=1)
        assert 7100 < starts_in(found, pool)[0] < 7300

    def test_no_worker_is_online(self, pool: Pool) -> None:
        pool.store.worker_seen("w1", capacity=2)
        task_id = pool.submit()
        pool.store.worker_gone("w1")
        found = wait_of(pool, task_id)
        assert (found.reason.code, found.start) == ("no_worker", None)

    def test_it_is_the_next(self, pool: Pool) -> None:
        found = wait_of(pool, pool.submit())
        assert found.reason.code == "next"
        assert starts_in(found, pool)[1] <= 0

    def test_free_slots_go_to_those_before_it(self, pool: Pool) -> None:
        ids = [pool.submit() for _ in range(3)]
        found = explained(pool).waits
        assert [found[task_id].reason.code for task_id in ids] == ["next", "next", "pool_full"]


class TestCost:
    def test_a_long_queue_costs_no_more_than_what_is_shown_of_it(self) -> None:
        pool = memory_pool(PoolPolicy())
        for _ in range(1000):
            pool.submit()
        asked: list[object] = []

        def fetch(crm: str | None, kind: str | None) -> list[float]:
            asked.append((crm, kind))
            return [RUN_SECONDS] * 100

        explainer = Explainer(RunTimes(fetch), default_max_workers=2)
        found = explainer.explained(pool.store.snapshot(queue_limit=50))
        assert (len(found.waits), found.queued_count, asked) == (
            50,
            1000,
            [("hubspot", "contacts")],
        )


class TestOrder:
    def test_the_position_counts_through_the_queues_of_all_crms(self, pool: Pool) -> None:
        pool.held()
        pool.held()
        ids = [pool.submit("hubspot"), pool.submit("genius"), pool.submit("hubspot")]
        urgent = pool.submit("five9", priority=100)
        found = explained(pool).waits
        assert [found[task_id].position for task_id in (urgent, *ids)] == [1, 2, 3, 4]

    def test_a_later_place_starts_later(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(default_max_workers=1))
        pool.held()
        ids = [pool.submit() for _ in range(4)]
        starts = [starts_in(wait_of(pool, task_id), pool) for task_id in ids]
        assert starts == sorted(starts)

    def test_a_limit_that_ends_falls_back_to_the_one_behind_it(self, pool: Pool) -> None:
        pool.store.set_limit(2, change=ANN, crm_source="hubspot")
        end = utc_now() + timedelta(seconds=100)
        pool.store.set_limit(1, change=ANN, crm_source="hubspot", expires_at=end)
        pool.held()
        found = wait_of(pool, pool.submit())
        assert found.reason.until == end
        earliest, latest = starts_in(found, pool)
        assert earliest <= latest <= 100

    def test_only_what_is_shown_is_explained_and_all_is_counted(self, pool: Pool) -> None:
        for crm in ("hubspot", "genius", "hubspot"):
            pool.submit(crm)
        found = explained(pool, queue_limit=1)
        assert len(found.waits) == 1
        assert found.queued_by_crm == {"genius": 1, "hubspot": 2}
