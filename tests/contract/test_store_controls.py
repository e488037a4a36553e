"""Limits and pauses of the pool and of single CRMs, as every store must keep them."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from ingestion.pool.change import ChangeRequest
from ingestion.pool.controls import Control
from ingestion.pool.errors import InvalidControl, InvalidLimit
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import utc_now
from tests.contract.stores import ANN, BOB, OpenPool, Pool


def soon() -> datetime:
    return utc_now() + timedelta(seconds=100)


class TestCrmLimit:
    def test_no_more_of_this_crm_are_started(self, pool: Pool) -> None:
        pool.store.set_limit(10, change=ANN)
        pool.store.set_limit(
            1, change=ChangeRequest(by="ann", reason="nightly backup"), crm_source="hubspot"
        )
        first, second = pool.submit("hubspot"), pool.submit("hubspot")
        other = pool.submit("genius")
        assert pool.claim() == [first, other]
        pool.confirm(first)
        pool.finish(first)
        assert pool.active() == {other, second}

    def test_what_runs_already_counts(self, pool: Pool) -> None:
        pool.store.set_limit(10, change=ANN)
        running = pool.held(crm_source="hubspot")
        pool.store.set_limit(1, change=ANN, crm_source="hubspot")
        waiting = pool.submit("hubspot")
        assert pool.claim() == []
        pool.finish(running)
        assert pool.active() == {waiting}

    def test_it_is_kept_with_who_when_why_and_until_when(self, pool: Pool) -> None:
        end = soon()
        made = pool.store.set_limit(
            3,
            change=ChangeRequest(by="ann", reason="slow API"),
            crm_source="genius",
            expires_at=end,
        )
        limit = made.crm_limits["genius"]
        assert (limit.value, limit.set_by, limit.reason) == (3, "ann", "slow API")
        assert limit.expires_at == end
        assert limit.set_at is not None
        assert pool.store.controls() == made
        assert pool.store.snapshot().controls == made
        assert pool.store.limit().set_at is None

    def test_it_is_taken_away_by_none(self, pool: Pool) -> None:
        pool.store.set_limit(1, change=ANN, crm_source="hubspot")
        pool.store.set_limit(2, change=ANN, crm_source="hubspot", expires_at=soon())
        assert pool.store.set_limit(None, change=ANN, crm_source="hubspot").crm_limits == {}
        ids = [pool.submit("hubspot"), pool.submit("hubspot")]
        assert pool.claim() == ids

    @pytest.mark.parametrize("wrong", [0, 1001, True, "3"])
    def test_nonsense_is_refused(self, pool: Pool, wrong: object) -> None:
        with pytest.raises(InvalidLimit):
            pool.store.set_limit(wrong, change=ANN, crm_source="hubspot")  # type: ignore[arg-type]
        assert pool.store.controls().changed_at is None

    @pytest.mark.parametrize("wrong", ["", "Hub Spot", "a:b", 7])
    def test_a_name_of_no_crm_is_refused(self, pool: Pool, wrong: object) -> None:
        with pytest.raises(InvalidControl):
            pool.store.pause(wrong, change=ANN)  # type: ignore[arg-type]

    def test_an_end_without_a_zone_is_refused(self, pool: Pool) -> None:
        with pytest.raises(InvalidControl, match="time zone"):
            pool.store.set_limit(2, change=ANN, expires_at=soon().replace(tzinfo=None))


class TestEnds:
    def test_an_override_falls_back_to_the_lasting_limit(self, pool: Pool) -> None:
        pool.store.set_limit(3, change=ANN)
        pool.store.set_limit(
            1, change=ChangeRequest(by="bob", reason="deployment"), expires_at=soon()
        )
        assert (pool.store.limit().max_workers, pool.store.limit().set_by) == (1, "bob")
        pool.let_pass(101)
        assert (pool.store.limit().max_workers, pool.store.limit().set_by) == (3, "ann")

    def test_without_a_lasting_one_to_the_default(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(default_max_workers=4))
        pool.store.set_limit(1, change=BOB, expires_at=soon())
        pool.let_pass(101)
        assert (pool.store.limit().max_workers, pool.store.limit().set_at) == (4, None)

    def test_a_crms_override_falls_back_too(self, pool: Pool) -> None:
        pool.store.set_limit(2, change=ANN, crm_source="hubspot")
        pool.store.set_limit(1, change=BOB, crm_source="hubspot", expires_at=soon())
        ids = [pool.submit("hubspot"), pool.submit("hubspot")]
        assert pool.claim() == ids[:1]
        pool.let_pass(101)
        assert pool.claim() == ids[1:]

    def test_a_lasting_limit_ends_an_override(self, pool: Pool) -> None:
        pool.store.set_limit(1, change=BOB, expires_at=soon())
        pool.store.set_limit(5, change=ANN)
        assert pool.store.limit().max_workers == 5

    def test_a_pause_ends_by_itself_for_every_verb(self, pool: Pool) -> None:
        pool.store.pause(
            None,
            change=ChangeRequest(by="ann", reason="release"),
            expires_at=soon(),
        )
        task_id = pool.submit()
        assert pool.claim() == []
        pool.let_pass(101)
        assert pool.store.snapshot().controls.pause is None
        assert pool.store.controls().pause is None
        assert pool.claim() == [task_id]


class TestPause:
    def test_nothing_starts_while_the_pool_is_paused(self, pool: Pool) -> None:
        running = pool.held()
        made = pool.store.pause(None, change=ChangeRequest(by="ann", reason="release"))
        assert made.pause is not None
        assert (made.pause.set_by, made.pause.reason) == ("ann", "release")
        waiting = pool.submit()
        assert pool.claim() == []
        pool.finish(running)
        assert pool.active() == set()
        assert pool.store.resume(None, change=ANN).pause is None
        assert pool.claim() == [waiting]

    def test_only_the_paused_crm_waits(self, pool: Pool) -> None:
        pool.store.pause("hubspot", change=ChangeRequest(by="ann", reason="API is down"))
        waiting, other = pool.submit("hubspot", priority=9), pool.submit("genius")
        assert pool.claim() == [other]
        assert pool.queue() == [waiting]
        pool.store.resume("hubspot", change=ANN)
        assert pool.claim() == [waiting]

    def test_a_resume_of_the_pool_leaves_a_crms_pause(self, pool: Pool) -> None:
        pool.store.pause("hubspot", change=ANN)
        pool.store.pause(None, change=ANN)
        assert set(pool.store.resume(None, change=ANN).crm_pauses) == {"hubspot"}

    def test_a_message_that_was_sent_before_is_sent_again(self, open_pool: OpenPool) -> None:
        pool = open_pool(PoolPolicy(dispatch_seconds=60))
        task_id = pool.running()
        pool.store.pause(None, change=ChangeRequest(by="ann", reason="release"))
        pool.let_pass(61)
        assert [task.id for task in pool.store.reap().unconfirmed] == [task_id]

    def test_the_limit_in_force_is_told_all_the_same(self, pool: Pool) -> None:
        pool.store.pause(None, change=ANN)
        assert pool.store.snapshot().effective_limit == 2

    def test_every_control_is_json(self, pool: Pool) -> None:
        pool.store.pause(
            "hubspot",
            change=ChangeRequest(by="ann", reason="x"),
            expires_at=soon(),
        )
        told = pool.store.snapshot().to_dict()["controls"]
        assert told["crm_pauses"]["hubspot"]["reason"] == "x"
        assert told["max_workers"] is told["pause"] is None


class TestRestoreControls:
    def test_what_was_kept_elsewhere_comes_back(self, pool: Pool) -> None:
        set_at, end = utc_now() - timedelta(days=1), soon()
        kept = {
            "max_workers": Control(5, "ann", set_at, "month's end"),
            "override:hubspot": Control(1, "bob", set_at, "", end),
            "pause": Control(1, "cid", set_at, "release"),
            "pause:genius": Control(1, "old", set_at, "", set_at),
        }
        made = pool.store.restore_controls(kept)
        assert made.max_workers == kept["max_workers"]
        assert made.crm_limits == {"hubspot": kept["override:hubspot"]}
        assert made.pause == kept["pause"]
        assert made.crm_pauses == {}

    def test_what_is_known_is_left_alone(self, pool: Pool) -> None:
        pool.store.pause(None, change=ANN)
        pool.store.resume(None, change=ANN)
        assert pool.store.restore_controls({"pause": Control(1)}).pause is None

    def test_a_reset_forgets_them(self, pool: Pool) -> None:
        pool.store.pause(None, change=ANN)
        pool.store.reset()
        assert pool.store.controls().changed_at is None
        assert pool.store.controls().pause is None
