"""The dashboard's JSON: its content, its size, its ETag, and how often it makes the pool work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus, WorkerTask
from ingestion.services.beat import entries as schedule_beat
from ingestion.services.infra.response_cache import Answer, SharedAnswers
from ingestion.services.reporting import charts, dashboard
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import browser, forget_answers, member
from tests.unit.pool_shell import answers, pool_in_memory, take

NOW = datetime.fromisoformat("2026-01-02T03:04:05+00:00")


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    forget_answers()
    with pool_in_memory() as service:
        yield service
    forget_answers()


@pytest.fixture
def viewer(pool: WorkerPoolService) -> Client:
    return browser(member("Viewers"))


def get(client: Client, path: str = "/api/dashboard", **headers: str) -> Any:
    dashboard.shared.forget()
    return client.get(path, headers=headers)


def ended(crm: str, kind: str, status: str = "success", **named: Any) -> SyncHistory:
    end = named.pop("end_time", timezone.now())
    start = named.pop("start_time", end - timedelta(seconds=10))
    return SyncHistory.objects.create(
        crm_source=crm, sync_type=kind, status=status, start_time=start, end_time=end, **named
    )


class TestContent:
    def test_is_the_snapshot_with_short_tasks(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        for n in range(4):
            pool.submit_task("five9", "contacts", {"max_records": n + 1}, requested_by="ann")
        shown, whole = get(viewer).json(), pool.snapshot().to_dict()
        assert shown.keys() >= whole.keys()
        assert (shown["active_count"], shown["queued_count"]) == (2, 2)
        assert [task["route"] for task in shown["active"]] == ["five9.contacts"] * 2
        assert [task["position"] for task in shown["queued"]] == [1, 2]
        assert shown["queued"][0]["parameters_text"] == '{"max_records": 3}'
        assert shown["state_reason"] == "2 of 2 slots are taken."

    def test_a_page_further_back_goes_on_counting(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        ids = [pool.submit_task("five9", "contacts") for _ in range(6)]
        shown = get(viewer, "/api/dashboard?queue_offset=2&queue_limit=2").json()
        assert [(task["id"], task["position"]) for task in shown["queued"]] == [
            (ids[4], 3),
            (ids[5], 4),
        ]
        assert shown["queue_page"] == {"offset": 2, "limit": 2, "total": 4}

    def test_a_waiting_task_tells_why_and_until_when(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        for _ in range(5):
            ended("five9", "contacts")
        running = [pool.submit_task("five9", "contacts") for _ in range(4)][:2]
        first = get(viewer)
        for task in first.json()["queued"]:
            assert task["wait"]["code"] == "pool_full"
            assert sorted(task["wait"]["holders"]) == sorted(running)
            assert task["wait"]["start"]["based_on"]
        # The expected start follows the clock; that alone is no news.
        again = get(viewer, **{"If-None-Match": first["ETag"]})
        assert again["ETag"] == first["ETag"] or again.json()["queued"]

    def test_a_page_behind_the_end_is_empty(self, pool: WorkerPoolService, viewer: Client) -> None:
        later = timezone.now() + timedelta(hours=1)
        pool.submit_task("five9", "contacts", not_before=later)
        shown = get(viewer, "/api/dashboard?queue_offset=5").json()
        assert (shown["queued"], len(shown["delayed"])) == ([], 1)

    def test_a_running_task_tells_its_rate_and_its_end(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        for _ in range(5):
            ended("five9", "contacts")
        task_id = pool.submit_task("five9", "contacts")
        take(pool, task_id)
        pool.report_progress(task_id, attempt=1, progress={"model": "contacts", "total_rows": 500})
        (task,) = get(viewer).json()["active"]
        assert (task["rows"], task["progress"]["model"]) == (500, "contacts")
        assert task["rows_per_second"] > 0
        start = datetime.fromisoformat(task["started_at"])
        assert task["expected_end"]["based_on"] == "the last 5 runs of five9.contacts"
        assert datetime.fromisoformat(task["expected_end"]["latest"]) == start + timedelta(
            seconds=10
        )

    def test_tells_the_last_results_and_the_day(self, viewer: Client) -> None:
        ended("five9", "contacts", records_processed=7)
        ended("hubspot", "deals", "failed", error_message="<script>alert(1)</script>")
        ended("hubspot", "deals", "failed", end_time=timezone.now() - timedelta(days=2))
        shown = get(viewer).json()
        assert [one["status"] for one in shown["results"]] == ["failed", "success", "failed"]
        assert shown["results"][1]["records_processed"] == 7
        assert shown["last_24h"] == {
            "success": 1, "partial": 0, "failed": 1, "cancelled": 0, "success_rate": 50.0,
        }  # fmt: skip

    def test_masks_a_secret_in_an_error(self, viewer: Client) -> None:
        ended("five9", "contacts", "failed", error_message="at https://u:hunter2@crm.example/")
        assert "hunter2" not in get(viewer).content.decode()

    def test_an_unreachable_pool_is_503(
        self, pool: WorkerPoolService, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pool, "snapshot", answers(PoolUnavailable("Redis is gone.")))
        answer = get(viewer)
        assert answer.status_code == 503
        assert answer.json() == {"error": {"code": "UNAVAILABLE", "message": "Redis is gone."}}

    @pytest.mark.parametrize("query", ["queue_limit=101", "queue_limit=-1", "queue_offset=x"])
    def test_refuses_what_is_no_page(self, viewer: Client, query: str) -> None:
        answer = get(viewer, f"/api/dashboard?{query}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "INVALID_INPUT")


class TestSize:
    def test_stays_below_64_kb_whatever_waits(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        pool.set_max_workers(60)
        pool.worker_tick("celery@test", capacity=60)
        long = {f"name {n}": "ü" * 500 for n in range(20)}
        for n in range(180):
            task = WorkerTask(f"id {n}", "t", "five9", "contacts", long, requested_by="ß" * 200)
            pool.store.submit(task)
        pool.process_queue()
        for n in range(20):
            ended("five9", f"contacts {n}", "failed", error_message="é" * 10_000)
        answer = get(viewer)
        shown = answer.json()
        assert len(answer.content) <= 64 * 1024
        assert (shown["active_count"], shown["queued_count"]) == (60, 120)
        assert shown["is_cut"]
        assert shown["queued"]


class TestEtag:
    def test_nothing_new_is_304(self, pool: WorkerPoolService, viewer: Client) -> None:
        first = get(viewer)
        pool.worker_tick("celery@test", capacity=4)  # a sign of life is no news
        again = get(viewer, **{"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again["Data-Taken-At"] > first["Data-Taken-At"]

    def test_a_beat_that_grows_older_is_no_news(
        self, pool: WorkerPoolService, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tick = timezone.now() - timedelta(minutes=1)
        monkeypatch.setattr(schedule_beat, "last_tick_at", lambda: tick)
        first = get(viewer)
        assert first.json()["beat"]["last_tick_at"]
        assert get(viewer, **{"If-None-Match": first["ETag"]}).status_code == 304

    def test_a_round_of_the_monitor_is_news(self, pool: WorkerPoolService, viewer: Client) -> None:
        first = get(viewer)
        assert first.json()["notes"]
        pool.store.note_monitor_round()
        again = get(viewer, **{"If-None-Match": first["ETag"]})
        assert again.json()["monitor"]["last_round_at"]
        assert again.json()["notes"] == []

    def test_news_is_200(self, pool: WorkerPoolService, viewer: Client) -> None:
        first = get(viewer)
        pool.submit_task("five9", "contacts")
        again = get(viewer, **{"If-None-Match": first["ETag"]})
        assert again.status_code == 200
        assert again["ETag"] != first["ETag"]

    def test_no_cache_keeps_it_for_another_person(self, viewer: Client) -> None:
        assert get(viewer)["Cache-Control"] == "private, no-cache"


class TestSharing:
    def test_fifty_readers_make_the_pool_work_once(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[int] = []
        snapshot = pool.store.snapshot

        def counted(**named: Any) -> Any:
            asked.append(1)
            return snapshot(**named)

        monkeypatch.setattr(pool.store, "snapshot", counted)
        monkeypatch.setattr(dashboard, "shared", SharedAnswers(60))
        for _ in range(50):
            dashboard.live(pool, queue_offset=0, queue_limit=50)
        assert len(asked) == 1

    def test_those_who_come_meanwhile_wait_for_the_one_answer(self) -> None:
        shared, made = SharedAnswers(60), []
        begun, go_on = threading.Event(), threading.Event()

        def make() -> Answer:
            made.append(1)
            begun.set()
            assert go_on.wait(timeout=30)
            return Answer(b"{}", '"1"', NOW)

        got: list[Answer] = []
        readers = [
            threading.Thread(target=lambda: got.append(shared.get("a", make))) for _ in range(8)
        ]
        for reader in readers:
            reader.start()
        assert begun.wait(timeout=30)
        go_on.set()
        for reader in readers:
            reader.join(timeout=30)
        assert (len(got), len(made)) == (8, 1)

    def test_a_refusal_is_shared_too(self) -> None:
        shared = SharedAnswers(60)
        make = answers(PoolUnavailable("gone"), Answer(b"{}", '"1"', NOW))
        for _ in range(2):
            with pytest.raises(PoolUnavailable):
                shared.get("a", make)

    def test_an_old_answer_is_made_anew(self) -> None:
        clock = iter([0.0, 0.5, 2.0, 2.0]).__next__
        shared = SharedAnswers(1, clock=clock)
        first, second = Answer(b"1", '"1"', NOW), Answer(b"2", '"2"', NOW)
        make = answers(first, second)
        assert shared.get("a", make) is first
        assert shared.get("a", make) is second


class TestCharts:
    def test_count_what_ended_in_each_span(self, viewer: Client) -> None:
        ended("five9", "contacts", records_processed=30)
        ended("hubspot", "deals", "failed")
        ended("hubspot", "deals", end_time=timezone.now() - timedelta(days=3))
        shown = viewer.get("/api/dashboard/charts?range=1h").json()
        series = shown["series"]
        assert {len(column) for column in series.values()} == {60}
        assert (sum(series["completed"]), sum(series["failed"]), sum(series["rows"])) == (1, 1, 30)
        assert [mean for mean in series["run_seconds"] if mean] == [10.0]
        assert [lane["route"] for lane in shown["lanes"]] == ["five9.contacts", "hubspot.deals"]

    def test_a_run_counts_in_every_span_it_ran_in(self) -> None:
        run = charts.Run(
            1, "five9", "contacts", "running", NOW, NOW, None, 0, 1, None
        )  # fmt: skip
        first = int(NOW.timestamp()) // 60 * 60 - 120
        found = charts.series([run], first=first, last=first + 240, step=60)
        assert found["running"] == [0, 0, 1, 1, 1]

    def test_a_task_that_never_ran_has_no_lane(
        self, pool: WorkerPoolService, viewer: Client
    ) -> None:
        pool.set_max_workers(1)
        pool.submit_task("five9", "contacts")
        pool.cancel_task(pool.submit_task("hubspot", "deals"))
        charts.shared.forget()
        shown = viewer.get("/api/dashboard/charts?range=1h").json()
        assert [lane["route"] for lane in shown["lanes"]] == ["five9.contacts"]
        assert sum(shown["series"]["cancelled"]) == 1

    def test_what_is_left_out_of_the_lanes_is_counted(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(charts, "MOST_IN_LANES", 3)
        monkeypatch.setattr(charts, "MOST_EVENTS", 2)
        for _ in range(5):
            ended("five9", "contacts")
            AuditRecord.objects.create(actor="ann", action="pause")
        charts.shared.forget()
        shown = viewer.get("/api/dashboard/charts?range=1h").json()
        assert [len(lane["runs"]) for lane in shown["lanes"]] == [3]
        assert (shown["lanes_left_out"], len(shown["events"])) == (2, 2)
        assert shown["events_left_out"] == 3

    def test_tell_of_changed_limits(self, pool: WorkerPoolService, viewer: Client) -> None:
        pool.set_max_workers(5, change=ChangeRequest(by="ann", reason="night"))
        (event,) = viewer.get("/api/dashboard/charts?range=1h").json()["events"]
        assert (event["action"], event["actor"], event["text"]) == ("limit", "ann", "2 -> 5: night")

    def test_only_some_ranges_are_known(self, viewer: Client) -> None:
        assert viewer.get("/api/dashboard/charts?range=9y").status_code == 422


def test_a_finished_task_shows_among_the_results(pool: WorkerPoolService, viewer: Client) -> None:
    task_id = pool.submit_task("five9", "contacts")
    take(pool, task_id)
    pool.finish_task(task_id, attempt=1, outcome=Outcome(TaskStatus.FAILED, "broken"))
    (found,) = get(viewer).json()["results"]
    assert (found["task_id"], found["status"], found["error_message"]) == (
        task_id, "failed", "broken",
    )  # fmt: skip
    assert AuditRecord.objects.filter(target=task_id, action="fail").exists()
