"""What operators do to the queue through the service: in force at once, kept, and on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from ingestion.models import AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import (
    Conflict,
    InvalidControl,
    InvalidPriority,
    InvalidSubmission,
    NotQueued,
    Overlaps,
    PoolUnavailable,
    TaskNotFound,
    UnknownSource,
)
from ingestion.pool.queue_place import QueuePage
from ingestion.services.requests.submission import Submission
from ingestion.services.tasks.bulk import TaskFilter
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db


@pytest.fixture
def paused(bench: Bench) -> Bench:
    """Nothing starts but when a test says so."""
    bench.pool.pause(change=ChangeRequest(by="test"))
    return bench


def recorded(action: str) -> AuditRecord:
    return AuditRecord.objects.get(action=action)


def submit(bench: Bench, crm: str = "genius", sync_type: str = "leads", **options: Any) -> str:
    return bench.pool.submit_task(crm, sync_type, **options)


class TestControls:
    def test_a_crms_limit_is_in_force_kept_and_on_record(self, bench: Bench) -> None:
        bench.pool.set_crm_limit("hubspot", 1, change=ChangeRequest(by="ann", reason="slow API"))
        ids = [submit(bench, "hubspot", "contacts") for _ in range(2)] + [submit(bench)]
        assert bench.broker.ids == [ids[0], ids[2]]
        assert bench.another_process().controls().crm_limits["hubspot"].value == 1
        kept = PoolSetting.objects.get(name="max_workers:hubspot")
        assert (kept.value, kept.set_by, kept.reason) == (1, "ann", "slow API")
        record = recorded("limit")
        assert (record.target, record.before, record.after) == ("max_workers:hubspot", None, 1)

    def test_it_is_taken_away(self, bench: Bench) -> None:
        bench.pool.set_crm_limit("hubspot", 1)
        ids = [submit(bench, "hubspot", "contacts") for _ in range(2)]
        bench.pool.set_crm_limit("hubspot", None, change=ChangeRequest(by="bob"))
        assert bench.broker.ids == ids
        assert not PoolSetting.objects.exists()

    def test_a_pause_keeps_back_and_a_resume_starts(self, bench: Bench) -> None:
        bench.pool.pause("Genius ", change=ChangeRequest(by="ann", reason="migration"))
        waiting, other = submit(bench), submit(bench, "hubspot", "contacts")
        assert bench.broker.ids == [other]
        bench.pool.resume("genius", change=ChangeRequest(by="bob", reason="done"))
        assert bench.broker.ids == [other, waiting]
        assert (recorded("pause").actor, recorded("pause").after) == ("ann", "paused")
        assert (recorded("resume").before, recorded("resume").after) == ("paused", None)
        assert recorded("resume").target == "pause:genius"

    def test_a_pause_ends_by_itself(self, bench: Bench) -> None:
        end = bench.clock.now + timedelta(minutes=10)
        bench.pool.pause(change=ChangeRequest(reason="deployment"), expires_at=end)
        task_id = submit(bench)
        assert bench.broker.ids == []
        bench.clock.advance(minutes=11)
        assert bench.pool.controls().pause is None
        bench.pool.worker_tick("w1", capacity=2)
        assert bench.broker.ids == [task_id]

    def test_an_override_falls_back(self, bench: Bench) -> None:
        bench.pool.set_max_workers(5, change=ChangeRequest(by="ann"))
        bench.pool.set_max_workers(1, expires_at=bench.clock.now + timedelta(minutes=10))
        assert bench.pool.get_max_workers() == 1
        assert set(PoolSetting.objects.values_list("name", flat=True)) == {
            "max_workers",
            "override",
        }
        bench.clock.advance(minutes=11)
        assert bench.pool.get_max_workers() == 5

    def test_all_of_them_survive_the_loss_of_the_store(self, bench: Bench) -> None:
        bench.pool.set_max_workers(5, change=ChangeRequest(by="ann"))
        bench.pool.set_crm_limit("hubspot", 2)
        bench.pool.pause("genius", change=ChangeRequest(reason="migration"))
        end = bench.clock.now + timedelta(hours=1)
        bench.pool.pause(expires_at=end)
        before = bench.pool.controls().named()
        bench.memory.reset()
        after = bench.another_process().controls().named()
        assert after.keys() == before.keys()
        assert after["pause"].expires_at == end
        assert after["pause:genius"].reason == "migration"

    def test_a_change_right_after_the_loss_forgets_none(self, bench: Bench) -> None:
        bench.pool.pause("genius")
        bench.memory.reset()
        bench.pool.set_max_workers(3)
        assert set(bench.pool.controls().crm_pauses) == {"genius"}

    def test_what_was_over_meanwhile_does_not_come_back(self, bench: Bench) -> None:
        bench.pool.pause("genius", expires_at=bench.clock.now + timedelta(minutes=1))
        PoolSetting.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        bench.memory.reset()
        assert bench.another_process().controls().crm_pauses == {}

    def test_nothing_is_kept_of_what_the_store_did_not_take(self, bench: Bench) -> None:
        bench.pool.get_max_workers()
        bench.store.is_lost = True
        with pytest.raises(PoolUnavailable):
            bench.pool.pause()
        assert not PoolSetting.objects.exists()
        assert not AuditRecord.objects.exists()

    def test_nonsense_is_refused(self, bench: Bench) -> None:
        with pytest.raises(UnknownSource, match="known are"):
            bench.pool.pause("nobody")
        with pytest.raises(InvalidControl, match="passed"):
            bench.pool.pause(expires_at=timezone.now() - timedelta(minutes=1))
        with pytest.raises(InvalidControl, match="time zone"):
            bench.pool.set_max_workers(3, expires_at=timezone.now().replace(tzinfo=None))
        assert not PoolSetting.objects.exists()

    def test_no_secret_gets_into_a_reason(self, bench: Bench) -> None:
        bench.pool.pause(change=ChangeRequest(reason="password=hunter2secret"))
        pause = bench.pool.controls().pause
        assert pause is not None
        assert "hunter2secret" not in pause.reason


class TestOrder:
    def test_a_held_task_starts_when_it_is_released(self, bench: Bench) -> None:
        bench.pool.set_max_workers(1)
        running, task_id = submit(bench), submit(bench)
        held = bench.pool.hold_task(task_id, change=ChangeRequest(by="ann", reason="wrong dates"))
        assert (held.held_by, held.held_reason) == ("ann", "wrong dates")
        bench.pool.cancel_task(running)
        assert bench.broker.ids == [running]
        bench.pool.release_task(task_id, change=ChangeRequest(by="bob"))
        assert bench.broker.ids == [running, task_id]
        assert recorded("hold").after["is_held"] is True
        assert (recorded("release").actor, recorded("release").after["is_held"]) == ("bob", False)

    def test_priority_and_front_are_on_record(self, paused: Bench) -> None:
        first, second = submit(paused), submit(paused)
        paused.pool.set_priority(second, 5, change=ChangeRequest(by="ann"))
        paused.pool.move_to_front(first, change=ChangeRequest(by="bob", reason="urgent"))
        assert [t.id for t in paused.pool.get_queued_tasks()] == [first, second]
        assert (recorded("prioritize").before["priority"], recorded("prioritize").target) == (
            0,
            second,
        )
        assert recorded("move_to_front").after["is_moved"] is True

    def test_what_changes_nothing_is_not_on_record(self, paused: Bench) -> None:
        paused.pool.set_priority(submit(paused), 0)
        assert not AuditRecord.objects.filter(action="prioritize").exists()

    def test_refusals_have_names(self, bench: Bench) -> None:
        running = submit(bench)
        with pytest.raises(NotQueued):
            bench.pool.hold_task(running)
        with pytest.raises(TaskNotFound):
            bench.pool.move_to_front("nobody")
        with pytest.raises(InvalidPriority):
            bench.pool.set_priority(running, 1001)


class TestOverlap:
    def test_the_answer_says_who_coalesced_it(self, paused: Bench) -> None:
        first = paused.pool.submit(Submission("genius", "leads", on_overlap="coalesce"))
        assert (first.coalesced_into, first.task.id) == (None, first.task_id)
        again = paused.pool.submit(
            Submission("genius", "leads", priority=7, on_overlap="coalesce", requested_by="ann")
        )
        assert again.task_id == again.coalesced_into == first.task_id
        assert again.task.priority == 7
        assert SyncHistory.objects.count() == 1
        assert recorded("submit").target == first.task_id
        record = recorded("coalesce")
        assert (record.actor, record.target) == ("ann", first.task_id)

    def test_submit_task_tells_its_id(self, paused: Bench) -> None:
        first = submit(paused, on_overlap="coalesce")
        assert submit(paused, on_overlap="coalesce") == first
        assert submit(paused) != first

    def test_a_rejected_request_leaves_no_trace(self, paused: Bench) -> None:
        first = submit(paused, sync_type="all")
        before = AuditRecord.objects.count()
        with pytest.raises(Overlaps, match=r"genius\.all.*is queued") as caught:
            submit(paused, on_overlap="reject")
        assert caught.value.other_id == first
        assert SyncHistory.objects.count() == 1
        assert AuditRecord.objects.count() == before

    def test_another_word_is_refused(self, bench: Bench) -> None:
        with pytest.raises(InvalidSubmission, match="allow, coalesce, reject"):
            submit(bench, on_overlap="maybe")


class TestMany:
    def test_a_filter_finds_what_it_says(self, bench: Bench) -> None:
        bench.pool.set_max_workers(1)
        running = submit(bench, requested_by="ann")
        old = submit(bench, "hubspot", "contacts", requested_by="bob")
        bench.clock.advance(minutes=30)
        held, young = submit(bench), submit(bench, "hubspot", "deals")
        delayed = submit(bench, not_before=bench.clock.now + timedelta(hours=1))
        bench.pool.hold_task(held)

        def found(**asked: Any) -> list[str]:
            return [task.id for task in bench.pool.select(TaskFilter(**asked)).tasks]

        assert found() == [running, old, young, delayed, held]
        assert found(crm_source="hubspot") == [old, young]
        assert found(crm_source="hubspot", sync_type="deals") == [young]
        assert found(status="held") == [held]
        assert found(status="queued") == [old, young]
        assert found(status="delayed") == [delayed]
        assert found(status="running", requested_by="ann") == [running]
        assert found(older_than_seconds=600) == [running, old]

    def test_all_that_match_are_changed_and_no_other(self, paused: Bench) -> None:
        ids = [submit(paused) for _ in range(3)]
        other = submit(paused, "hubspot", "contacts")
        chosen = TaskFilter(crm_source="genius")
        seen = paused.pool.select(chosen)
        done = paused.pool.bulk(
            "hold", chosen, digest=seen.digest, change=ChangeRequest(by="ann", reason="why")
        )
        assert (seen.count, done.done, done.conflicts) == (3, 3, ())
        assert {t.id for t in paused.pool.get_queued_tasks() if t.is_held} == set(ids)
        assert AuditRecord.objects.filter(action="hold", actor="ann").count() == 3
        assert recorded("hold_many").after == {"done": 3, "conflicts": 0}
        assert paused.pool.bulk("release", TaskFilter(status="held")).done == 3
        assert paused.pool.bulk("prioritize", chosen, priority=4).done == 3
        assert [t.id for t in paused.pool.get_queued_tasks()] == [*ids, other]

    def test_those_moved_to_the_front_keep_their_order(self, paused: Bench) -> None:
        ids = [submit(paused, crm, "all") for crm in ("genius", "hubspot", "genius", "hubspot")]
        paused.pool.bulk("move_to_front", TaskFilter(crm_source="hubspot"))
        assert [t.id for t in paused.pool.get_queued_tasks()] == [ids[1], ids[3], ids[0], ids[2]]

    def test_many_are_cancelled_running_ones_too(self, bench: Bench) -> None:
        ids = [submit(bench) for _ in range(4)]
        assert (
            bench.pool.bulk(
                "cancel", TaskFilter(crm_source="genius"), change=ChangeRequest(by="ann")
            ).done
            == 4
        )
        statuses = SyncHistory.objects.values_list("status", flat=True)
        assert set(statuses) == {"cancelled"}
        assert AuditRecord.objects.filter(action="cancel", target__in=ids).count() == 4

    def test_a_stale_screen_acts_on_nothing(self, paused: Bench) -> None:
        task_id = submit(paused)
        chosen = TaskFilter(crm_source="genius")
        seen = paused.pool.select(chosen)
        paused.pool.set_priority(task_id, 3)
        with pytest.raises(Conflict, match="1 tasks"):
            paused.pool.bulk("cancel", chosen, digest=seen.digest, change=ChangeRequest(by="ann"))
        assert [t.id for t in paused.pool.get_queued_tasks()] == [task_id]
        assert recorded("conflict").before["wanted"] == "cancel_many"

    def test_what_changes_meanwhile_is_told_and_left_alone(
        self, paused: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = submit(paused), submit(paused)
        read = paused.memory.queue_page

        def read_and_change(**page: Any) -> QueuePage:
            found = read(**page)
            paused.pool.set_priority(first, 3)
            return found

        monkeypatch.setattr(paused.memory, "queue_page", read_and_change)
        done = paused.pool.bulk("hold", TaskFilter(), change=ChangeRequest(by="ann"))
        assert (done.done, done.conflicts) == (1, (first,))
        assert [t.id for t in paused.pool.get_queued_tasks() if t.is_held] == [second]

    @pytest.mark.parametrize("wrong", [{"status": "asleep"}])
    def test_a_filter_that_means_nothing_is_refused(self, wrong: dict[str, str]) -> None:
        with pytest.raises(InvalidSubmission, match="queued, delayed, held, running"):
            TaskFilter(**wrong)  # type: ignore[arg-type]

    def test_an_unknown_action_is_refused(self, bench: Bench) -> None:
        with pytest.raises(InvalidSubmission, match="move_to_front"):
            bench.pool.bulk("explode", TaskFilter())
