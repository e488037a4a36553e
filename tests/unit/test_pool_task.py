"""A task, its states and its two stored forms."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.pool.clock import from_us, to_us
from ingestion.pool.controls import checked_limit
from ingestion.pool.errors import InvalidLimit, UnreadableTask
from ingestion.pool.keys import PoolKeys
from ingestion.pool.overlap import overlap_key, parameters_digest
from ingestion.pool.redis.fields import from_fields, to_fields
from ingestion.pool.store import Outcome, PoolPolicy, old_places
from ingestion.pool.task import FINAL_STATUSES, TaskStatus, WorkerTask

NOON = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEAST = {"id": "t1", "task_name": "x.y", "crm_source": "five9", "sync_type": "contacts"}


def full_task() -> WorkerTask:
    return WorkerTask(
        **LEAST,
        parameters={"models": ["a", {"b": None}], "full": True},
        status=TaskStatus.RUNNING,
        priority=-5,
        queued_at=NOON,
        started_at=NOON,
        celery_task_id="t1.2",
        error_message="lost: “quoted”",
        last_heartbeat=NOON,
        attempt=2,
        max_attempts=3,
        worker="w1",
        confirmed_at=NOON,
        lease_expires_at=NOON,
        cancel_requested_at=NOON,
        not_before=NOON,
        progress={"rows": 10},
        result={"created": 1},
        requested_by="alice",
        sync_history_id=9,
        revision=4,
        held_at=NOON,
        held_by="bob",
        held_reason="wrong dates",
        front_score=-7,
        after={"t0": "five9.contacts"},
        followers={"t2": "hubspot.deals"},
    )


class TestStatus:
    def test_a_member_equals_its_string(self) -> None:
        assert TaskStatus.COMPLETED == "completed"
        assert TaskStatus.FAILED in ["completed", "failed"]
        assert TaskStatus("queued").value == "queued"

    def test_three_are_final(self) -> None:
        assert {s.value for s in FINAL_STATUSES} == {"completed", "failed", "cancelled"}
        assert [s.is_final for s in (TaskStatus.QUEUED, TaskStatus.RUNNING)] == [False, False]


class TestNames:
    def test_older_names_read_the_same_values(self) -> None:
        task = full_task()
        assert task.configuration is task.parameters
        assert task.submitted_at == task.queued_at
        assert task.route == "five9.contacts"


class TestJsonForm:
    def test_a_task_survives(self) -> None:
        stored = json.loads(json.dumps(full_task().to_dict()))
        assert WorkerTask.from_dict(stored) == full_task()

    def test_times_have_their_zone_and_the_status_its_value(self) -> None:
        stored = full_task().to_dict()
        assert stored["queued_at"] == "2026-01-01T12:00:00.123456+00:00"
        assert stored["status"] == "running"

    def test_the_names_of_an_older_version_are_read(self) -> None:
        old = {**LEAST, "configuration": {"full": True}, "submitted_at": "2026-01-01T12:00:00"}
        task = WorkerTask.from_dict(old)
        assert task.parameters == {"full": True}
        assert task.queued_at == datetime(2026, 1, 1, 12, tzinfo=UTC)

    def test_unknown_extras_are_ignored_and_missing_optionals_filled(self) -> None:
        task = WorkerTask.from_dict({**LEAST, "colour": "red", "parameters": None})
        assert (task.parameters, task.status, task.attempt) == ({}, TaskStatus.QUEUED, 0)

    @pytest.mark.parametrize("blank", [None, ""])
    def test_a_blank_submission_time_is_now(self, blank: str | None) -> None:
        task = WorkerTask.from_dict({**LEAST, "queued_at": blank})
        assert abs(task.queued_at - datetime.now(UTC)) < timedelta(minutes=1)

    def test_a_time_of_another_zone_becomes_utc(self) -> None:
        there = NOON.astimezone(timezone(timedelta(hours=5)))
        task = WorkerTask.from_dict({**LEAST, "queued_at": there.isoformat()})
        assert task.queued_at == NOON
        assert task.queued_at.tzinfo == UTC

    @pytest.mark.parametrize(
        "wrong",
        [
            {"id": None},
            {"id": 7},
            {"task_name": ""},
            {"status": "paused"},
            {"queued_at": "yesterday"},
            {"started_at": 5},
            {"attempt": "one"},
            {"priority": None},
            {"parameters": [1]},
            {"progress": "none"},
        ],
        ids=str,
    )
    def test_what_cannot_be_understood_is_unreadable(self, wrong: dict[str, object]) -> None:
        with pytest.raises(UnreadableTask):
            WorkerTask.from_dict({**LEAST, **wrong})

    @pytest.mark.parametrize("name", LEAST)
    def test_a_missing_name_is_unreadable(self, name: str) -> None:
        with pytest.raises(UnreadableTask):
            WorkerTask.from_dict({k: v for k, v in LEAST.items() if k != name})


class TestRedisForm:
    def test_a_task_survives(self) -> None:
        assert from_fields(to_fields(full_task())) == full_task()

    def test_what_is_none_is_left_out(self) -> None:
        assert "started_at" not in to_fields(WorkerTask(**LEAST))

    @given(
        st.text(),
        st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()),
        st.datetimes(timezones=st.just(UTC), min_value=datetime(1980, 1, 1)),  # noqa: DTZ001
    )
    def test_any_text_and_time_survives(
        self, text: str, parameters: dict[str, object], when: datetime
    ) -> None:
        task = WorkerTask(**LEAST, parameters=parameters, requested_by=text, queued_at=when)
        assert from_fields(to_fields(task)) == task

    def test_every_field_has_a_form(self) -> None:
        assert set(to_fields(full_task())) >= {
            f.name for f in fields(WorkerTask) if f.name != "completed_at"
        }

    @pytest.mark.parametrize(
        "wrong",
        [
            {"status": ""},
            {"attempt": "x"},
            {"queued_at": "1.5"},
            {"queued_at": "9" * 30},
            {"parameters": "{"},
            {"parameters": "7"},
            {"sync_history_id": "x"},
        ],
        ids=str,
    )
    def test_what_cannot_be_understood_is_unreadable(self, wrong: dict[str, str]) -> None:
        with pytest.raises(UnreadableTask):
            from_fields({**to_fields(full_task()), **wrong})


class TestAgain:
    def test_nothing_is_left_of_an_attempt_but_its_number(self) -> None:
        task = full_task().queued_again(NOON)
        kept = {"cancel_requested_at", "held_at", "not_before", "queued_at"}
        assert {n for n, v in task.to_dict().items() if v == NOON.isoformat()} == kept
        assert (task.status, task.attempt, task.worker) == (TaskStatus.QUEUED, 2, None)
        assert (task.progress, task.result, task.error_message) == ({}, {}, None)


class TestOverlapKey:
    """Redis and the ledger of a running system hold these texts."""

    def test_it_has_the_first_64_bits_of_the_parameters_digest(self) -> None:
        task = WorkerTask(**LEAST, parameters={"full": True})
        # printf '{"full": true}' | sha1sum
        assert parameters_digest(task.parameters) == "07575b018d5c897f03b2ea1543ee9a6518203c78"
        assert overlap_key(task) == "five9|contacts|07575b018d5c897f|"

    def test_it_has_none_without_parameters(self) -> None:
        assert overlap_key(WorkerTask(**LEAST)) == "five9|contacts||"


class TestClock:
    def test_a_microsecond_is_never_lost(self) -> None:
        for us in (0, 1, 1_767_268_800_123_457, 4_102_444_799_999_999):
            assert to_us(from_us(us)) == us


class TestOutcome:
    @pytest.mark.parametrize("status", ["queued", "running"])
    def test_it_ends_something(self, status: str) -> None:
        with pytest.raises(ValueError, match="completed, failed or cancelled"):
            Outcome(TaskStatus(status))

    def test_only_a_failure_is_tried_again(self) -> None:
        with pytest.raises(ValueError, match="only a failed attempt"):
            Outcome(TaskStatus.COMPLETED, retry_in_seconds=1)


class TestPolicy:
    def test_the_wait_doubles_up_to_its_greatest(self) -> None:
        policy = PoolPolicy(retry_backoff_seconds=30, retry_backoff_max_seconds=1800)
        assert [policy.backoff_seconds(n) for n in (1, 2, 3, 7, 5000)] == [30, 60, 120, 1800, 1800]

    def test_its_sentences_name_the_time(self) -> None:
        policy = PoolPolicy(lease_seconds=90, stale_seconds=90)
        assert policy.lost_message.format(worker="w") == (
            "Worker w stopped renewing its lease of 90 s; it was lost."
        )
        assert policy.stale_message == "No progress for 1.5 minutes."
        assert PoolPolicy(stale_seconds=30).stale_message == "No progress for 30 seconds."

    @pytest.mark.parametrize("allowed", [1, 1000])
    def test_a_limit_has_its_bounds(self, allowed: int) -> None:
        assert checked_limit(allowed) == allowed
        for wrong in (allowed - 1001, allowed + 1000):
            with pytest.raises(InvalidLimit):
                checked_limit(wrong)


class TestOldPlaces:
    def test_they_are_unique_and_in_order(self) -> None:
        same = [WorkerTask(**{**LEAST, "id": str(n)}, queued_at=NOON) for n in range(3)]
        earlier = WorkerTask(**LEAST, queued_at=NOON - timedelta(days=1))
        placed = old_places([*same, earlier], now_us=to_us(NOON))
        assert [task.id for _, task in placed] == ["t1", "0", "1", "2"]
        orders = [order for order, _ in placed]
        assert orders == sorted(set(orders))


class TestKeys:
    def test_the_families_end_in_a_colon_and_their_members_begin_with_them(self) -> None:
        keys = PoolKeys("{x}:1:")
        assert keys.task("t1") == f"{keys.task_family}t1" == "{x}:1:worker_pool:task:t1"
        assert keys.queue("five9") == f"{keys.queue_family}five9"
        assert keys.operation("o").startswith(keys.operation_family)

    def test_the_public_names_are_kept(self) -> None:
        keys = PoolKeys("p:")
        assert keys.active == "p:worker_pool:active_workers"
        assert keys.queues == "p:worker_pool:task_queue"
        assert keys.stats == "p:worker_pool:stats"
