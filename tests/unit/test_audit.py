"""Who, when, what, why, before and after: of every verb that changes something."""

from __future__ import annotations

import ast
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

import ingestion
from ingestion import tasks
from ingestion.deprecated_names import with_old_keys
from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.store import Outcome
from ingestion.pool.task import TaskStatus
from ingestion.services.maintenance.stale_syncs import close_stale_syncs
from ingestion.services.security import audit
from ingestion.services.worker import bootstep
from ingestion.services.worker_pool import WorkerPoolService, use_worker_pool
from tests.unit.pool_fixtures import Bench
from tests.unit.pool_shell import manage, pool_in_memory

pytestmark = pytest.mark.django_db

DONE = Outcome(TaskStatus.COMPLETED)
MAKERS = {"AuditRecord", *(f"AuditRecord.objects.{verb}" for verb in ("create", "record"))}


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    with pool_in_memory() as service:
        yield service


def recorded(action: str) -> AuditRecord:
    return AuditRecord.objects.get(action=action)


def running(bench: Bench, **fields: object) -> str:
    task_id = bench.pool.submit_task("genius", "all", **fields)
    bench.confirm(task_id)
    return task_id


class TestVerbs:
    def test_submit(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task(
            "genius", "all", {"full": True}, 5, requested_by="ann", reason="month's end"
        )
        made = recorded("submit")
        assert (made.actor, made.target, made.reason) == ("ann", task_id, "month's end")
        assert made.before is None
        assert made.after["route"] == "genius.all"
        assert (made.after["priority"], made.after["parameters"]) == (5, {"full": True})
        assert abs(made.at - timezone.now()) < timedelta(minutes=5)

    def test_cancel_of_a_queued_task(self, bench: Bench) -> None:
        *_, last = (bench.pool.submit_task("genius", "all") for _ in range(3))
        bench.pool.cancel_task(last, change=ChangeRequest(by="ann", reason="not needed"))
        made = recorded("cancel")
        assert (made.actor, made.target) == ("ann", last)
        assert made.reason == "Cancelled by ann: not needed"
        assert (made.before["status"], made.after["status"]) == ("queued", "cancelled")

    def test_cancel_of_a_sent_task(self, bench: Bench) -> None:
        bench.pool.cancel_task(
            bench.pool.submit_task("genius", "all"), change=ChangeRequest(by="ann")
        )
        assert recorded("cancel").before["status"] == "running"

    def test_request_to_stop(self, bench: Bench) -> None:
        task_id = running(bench)
        bench.pool.cancel_task(task_id, change=ChangeRequest(by="ann", reason="wrong account"))
        made = recorded("ask_to_stop")
        assert (made.actor, made.target, made.reason) == ("ann", task_id, "wrong account")
        assert made.before == {"status": "running", "worker": "w1"}
        assert made.after["cancel_requested_at"]

    def test_completion(self, bench: Bench) -> None:
        task_id = running(bench)
        bench.pool.finish_task(task_id, attempt=1, outcome=DONE)
        made = recorded("complete")
        assert (made.actor, made.target) == ("w1", task_id)
        assert made.before == {"status": "running", "attempt": 1, "worker": "w1"}
        assert made.after["status"] == "completed"

    def test_failure(self, bench: Bench) -> None:
        task_id = running(bench)
        with audit.acting("celery@host/17"):
            bench.pool.finish_task(
                task_id, attempt=1, outcome=Outcome(TaskStatus.FAILED, "HTTP 500")
            )
        made = recorded("fail")
        assert (made.actor, made.reason) == ("celery@host/17", "HTTP 500")
        assert made.after["status"] == "failed"

    def test_another_attempt(self, bench: Bench) -> None:
        task_id = running(bench, max_attempts=2)
        again = Outcome(TaskStatus.FAILED, "HTTP 503", retry_in_seconds=20)
        bench.pool.finish_task(task_id, attempt=1, outcome=again)
        made = recorded("retry")
        assert (made.target, made.reason) == (task_id, "HTTP 503")
        assert (made.before["status"], made.after["status"]) == ("running", "queued")
        assert made.after["not_before"]

    def test_end_from_outside(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all")
        with audit.acting("ann"):
            bench.pool.update_task_status(task_id, "failed", "by hand")
        made = recorded("fail")
        assert (made.actor, made.reason) == ("ann", "by hand")

    def test_limit(self, bench: Bench) -> None:
        bench.pool.set_max_workers(5, change=ChangeRequest(by="ann", reason="night"))
        made = recorded("limit")
        assert (made.actor, made.target, made.reason) == ("ann", "max_workers", "night")
        assert (made.before, made.after) == (2, 5)

    def test_clear(self, bench: Bench) -> None:
        for _ in range(5):
            bench.pool.submit_task("genius", "all")
        bench.pool.clear_queue(change=ChangeRequest(by="ann", reason="wrong day"))
        made = recorded("clear")
        assert (made.actor, made.reason) == ("ann", "wrong day")
        assert made.before == {"queued": 3, "delayed": 0, "held": 0}
        assert made.after == {"cancelled": 3}
        assert AuditRecord.objects.filter(action="cancel", actor="ann").count() == 3

    def test_reset(self, bench: Bench) -> None:
        ids = {bench.pool.submit_task("genius", "all") for _ in range(3)}
        bench.pool.reset_state(force=True, change=ChangeRequest(by="ann", reason="a new start"))
        made = recorded("reset")
        assert (made.actor, made.reason) == ("ann", "a new start")
        assert made.before == with_old_keys(
            {"active": 2, "queued": 1, "delayed": 0, "held": 0, "dead_letters": 0}
        )
        assert made.after["ledger_closed"] == 3
        cancelled = AuditRecord.objects.filter(action="cancel")
        assert {record.target for record in cancelled} == ids
        assert sorted(r.before["status"] for r in cancelled) == ["queued", "running", "running"]

    def test_repair(self, bench: Bench) -> None:
        running(bench)
        bench.clock.advance(seconds=91)
        bench.pool.fix_stuck(change=ChangeRequest(by="ann", reason="host died"))
        made = recorded("repair")
        assert (made.actor, made.reason) == ("ann", "host died")
        assert (made.before["active"], made.after["active"]) == (1, 0)
        assert made.after["done"]["lost"] == 1

    def test_end_of_a_stale_run_from_a_shell(self, bench: Bench) -> None:
        row = SyncHistory.objects.create(
            crm_source="genius", sync_type="all", start_time=timezone.now() - timedelta(days=2)
        )
        close_stale_syncs(bench.pool)
        made = recorded("close")
        assert (made.target, made.before["status"]) == (f"history {row.pk}", "running")
        assert made.after == {"route": "genius.all", "status": "failed"}


class TestActors:
    def test_beat_acts_in_its_monitor(self, bench: Bench) -> None:
        running(bench)
        bench.clock.advance(seconds=91)
        with use_worker_pool(bench.pool):
            tasks.worker_pool_monitor()
        assert recorded("fail").actor == "beat (worker-pool-monitor)"

    def test_beat_acts_in_its_nightly_round(self, bench: Bench) -> None:
        SyncHistory.objects.create(start_time=timezone.now() - timedelta(days=2))
        with use_worker_pool(bench.pool):
            tasks.cleanup_stale_syncs()
        assert recorded("close").actor == "beat (cleanup-stale-syncs)"

    def test_a_worker_acts_under_its_name(self, bench: Bench) -> None:
        class Worker:
            hostname = "celery@host"

        with audit.acting("before"):
            bootstep.introduce(sender=Worker())
            assert audit.actor() == "celery@host"
        assert audit.actor() == audit.POOL

    def test_the_command_line_acts_for_its_user(self, pool: WorkerPoolService) -> None:
        manage("submit", "genius", "all", "--reason", "by hand")
        made = recorded("submit")
        assert made.actor.endswith("(command line)")
        assert made.reason == "by hand"

    def test_the_nightly_command_typed_by_hand_acts_for_its_user(
        self, pool: WorkerPoolService
    ) -> None:
        SyncHistory.objects.create(start_time=timezone.now() - timedelta(days=2))
        call_command("cleanup_stale_syncs", stdout=io.StringIO())
        assert recorded("close").actor.endswith("(command line)")


class TestSecrets:
    def test_none_gets_into_a_record(self, bench: Bench) -> None:
        task_id = bench.pool.submit_task("genius", "all", requested_by="token=hunter22")
        bench.pool.set_max_workers(
            3, change=ChangeRequest(by="redis://a:hunter22@h", reason="password=hunter22")
        )
        bench.pool.cancel_task(task_id, change=ChangeRequest(reason='{"api_key": "hunter22"}'))
        bench.pool.clear_queue(change=ChangeRequest(reason="Authorization: Basic hunter22"))
        held = running(bench)
        bench.pool.report_progress(held, attempt=1, progress={"step": "token=hunter22"})
        told = {"metrics": {"api_key": "hunter22"}, "warning": "redis://a:hunter22@h"}
        failed = Outcome(TaskStatus.FAILED, "pwd: hunter22", told)
        kept_progress = bench.pool.snapshot().to_dict()
        bench.pool.finish_task(held, attempt=1, outcome=failed)
        kept_end = bench.pool.get_task_status(held).to_dict()
        audit.record("repair", before={"password": "hunter22"}, after=["token=hunter22"])
        kept = [audit.to_dict(record) for record in AuditRecord.objects.all()]
        kept += [kept_progress, kept_end]
        columns = ("error_message", "configuration", "performance_metrics", "outcome")
        kept.extend(SyncHistory.objects.values(*columns))
        assert len(kept) > 6
        assert "hunter22" not in json.dumps(kept)

    def test_a_text_that_databases_refuse_is_cleaned(self, db: None) -> None:
        audit.record(
            "repair", change=ChangeRequest(by="y" * 500, reason="a\x00b \udce4"), target="x" * 500
        )
        made = recorded("repair")
        assert made.reason == "ab ?"
        assert (len(made.target), len(made.actor)) == (200, 200)

    def test_every_record_passes_one_place(self) -> None:
        root = Path(ingestion.__file__).parent
        makers = [
            str(path.relative_to(root))
            for path in sorted(root.rglob("*.py"))
            for call in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(call, ast.Call) and ast.unparse(call.func) in MAKERS
        ]
        assert makers == ["services/security/audit.py"]


class TestCommand:
    def test_shows_the_latest_first(self, pool: WorkerPoolService) -> None:
        task_id = pool.submit_task("genius", "all", requested_by="ann")
        pool.set_max_workers(4, change=ChangeRequest(by="bob", reason="night"))
        first, second = manage("audit").out.splitlines()
        assert first.endswith("UTC limit max_workers by bob: night [2 -> 4]")
        assert f"submit {task_id} by ann [route genius.all, asked all" in second

    def test_json_holds_whole_records(self, pool: WorkerPoolService) -> None:
        pool.set_max_workers(4, change=ChangeRequest(by="bob", reason="night"))
        (record,) = manage("audit", "--json").shape["records"]
        assert record == audit.to_dict(recorded("limit"))

    def test_a_terminal_gets_a_table(self, pool: WorkerPoolService) -> None:
        pool.set_max_workers(4, change=ChangeRequest(by="bob"))
        out = manage("audit", "--force-color").out
        assert all(word in out for word in ("Audit", "Before", "limit", "bob"))

    def test_by_task(self, pool: WorkerPoolService) -> None:
        first, _ = (pool.submit_task("genius", "all") for _ in range(2))
        records = manage("audit", "--task", first[:8], "--json").shape["records"]
        assert [record["target"] for record in records] == [first]

    def test_by_action(self, pool: WorkerPoolService) -> None:
        pool.submit_task("genius", "all")
        pool.set_max_workers(4)
        records = manage("audit", "--action", "limit", "--json").shape["records"]
        assert [record["action"] for record in records] == ["limit"]

    def test_by_time(self, pool: WorkerPoolService) -> None:
        pool.set_max_workers(4)
        pool.set_max_workers(5)
        old = AuditRecord.objects.order_by("id")[0]
        AuditRecord.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(hours=3))
        records = manage("audit", "--since", "2h", "--json").shape["records"]
        assert [record["after"] for record in records] == [5]
        assert len(manage("audit", "--since", "2020-01-31", "--json").shape["records"]) == 2

    def test_cut_to_a_number(self, pool: WorkerPoolService) -> None:
        for limit in (3, 4, 5):
            pool.set_max_workers(limit)
        assert len(manage("audit", "--limit", "2", "--json").shape["records"]) == 2

    def test_says_when_there_is_none(self, pool: WorkerPoolService) -> None:
        ran = manage("audit")
        assert (ran.out, ran.err) == ("", "No records.\n")

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (("--action", "dance"), 2, "recorded are: limit"),
            (("--since", "soon"), 2, "must be a time such as"),
            (("--limit", "0"), 2, "1 or more"),
            (("--task", "ffffffff"), 3, "No task's ID begins"),
        ],
    )
    def test_refuses_what_makes_no_sense(
        self, pool: WorkerPoolService, words: tuple[str, ...], code: int, says: str
    ) -> None:
        pool.set_max_workers(4)
        ran = manage("audit", *words)
        assert (ran.code, says in ran.message) == (code, True), ran.message
