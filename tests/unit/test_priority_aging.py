"""What a level of priority is worth: agreed once, changed by operators, the same for every process."""

from __future__ import annotations

import importlib
import logging
from dataclasses import replace
from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from redis import Redis

from ingestion.installation_conf import setting_values
from ingestion.models import ActiveStoreState, AuditRecord, PoolSetting, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import InvalidControl, PoolUnavailable
from ingestion.pool.order_rule import FRONT, PriorityAging
from ingestion.pool.store import PoolPolicy
from ingestion.services.ledger import controls as ledger_controls
from ingestion.services.ledger import state as ledger_state
from ingestion.services.requests.submission import Submission
from ingestion.services.runs import celery_view
from ingestion.services.tasks import aging
from ingestion.services.worker_pool import WorkerPoolService, use_worker_pool
from tests.contract.stores import ANN, own_keys, redis_pool
from tests.unit.api.calls import JSON
from tests.unit.people import browser, member, program
from tests.unit.pool_fixtures import CONF, Bench, Broker
from tests.unit.pool_shell import manage, shell

pytestmark = pytest.mark.django_db

STRICT = replace(CONF, priority_aging_seconds=0)
WARNING = (
    "WORKER_POOL_PRIORITY_AGING_SECONDS is 0 here, but 3600 is in force for every process; the "
    "setting counts in a new installation alone. To change it: manage.py manage_worker_pool config "
    "--priority-aging-seconds 0"
)


def strict_process(bench: Bench) -> WorkerPoolService:
    """Whose environment differs."""
    return WorkerPoolService(bench.store, conf=STRICT, send=bench.broker)


def in_force(pool: WorkerPoolService) -> PriorityAging:
    return pool.controls().priority_aging


class TestAgreement:
    def test_the_first_process_of_an_installation_says_it_for_all(self, bench: Bench) -> None:
        assert in_force(bench.pool) == PriorityAging(3600, revision=1)
        assert in_force(strict_process(bench)) == PriorityAging(3600, revision=1)

    def test_it_outlives_the_store(self, bench: Bench) -> None:
        bench.pool.get_max_workers()
        bench.memory.reset()
        assert in_force(strict_process(bench)).seconds == 3600

    def test_nobody_has_set_it(self, bench: Bench) -> None:
        bench.pool.snapshot()
        assert not PoolSetting.objects.exists()
        assert not AuditRecord.objects.exists()

    def test_a_process_whose_environment_differs_warns_once(
        self, bench: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        bench.pool.snapshot()
        assert bench.pool.snapshot().warnings == ()
        other = strict_process(bench)
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                other.process_queue()
        assert [r.getMessage() for r in caplog.records if "AGING" in r.getMessage()] == [WARNING]
        assert other.snapshot().warnings == (WARNING,)
        assert WARNING in other.examine().notes

    def test_what_cannot_be_read_counts_as_not_set(self, bench: Bench) -> None:
        bench.pool.set_priority_aging(60)
        PoolSetting.objects.update(value="what is this")
        bench.memory.reset()
        assert in_force(bench.another_process()).seconds == 3600


class TestChange:
    def test_it_is_kept_in_force_and_on_record(self, bench: Bench) -> None:
        other = bench.another_process()
        made = bench.pool.set_priority_aging(
            0, change=ChangeRequest("ann", "month's end")
        ).priority_aging
        assert (made.seconds, made.revision, made.set_by, made.reason) == (
            0,
            2,
            "ann",
            "month's end",
        )
        assert made.set_at is not None
        assert in_force(other) == made
        kept = PoolSetting.objects.get()
        assert (kept.name, kept.value, kept.revision) == ("priority_aging_seconds", 0, 2)
        assert (kept.set_by, kept.reason, kept.set_at) == ("ann", "month's end", made.set_at)
        record = AuditRecord.objects.get()
        assert (record.action, record.actor, record.reason) == (
            "priority_aging",
            "ann",
            "month's end",
        )
        assert (record.before, record.after) == (3600, 0)

    def test_the_revision_rises_with_each(self, bench: Bench) -> None:
        for number, seconds in enumerate((0, 60, 60), start=2):
            assert bench.pool.set_priority_aging(seconds).priority_aging.revision == number

    def test_it_outlives_the_store(self, bench: Bench) -> None:
        bench.pool.set_priority_aging(60, change=ChangeRequest("ann"))
        bench.memory.reset()
        found = in_force(strict_process(bench))
        assert (found.seconds, found.revision, found.set_by) == (60, 2, "ann")

    def test_it_outlives_a_reset(self, bench: Bench) -> None:
        bench.pool.set_priority_aging(60, change=ChangeRequest("ann"))
        bench.pool.reset_state(force=True)
        assert in_force(bench.pool).seconds == 60

    def test_a_ledger_that_was_restored_from_a_backup_can_still_change_it(
        self, bench: Bench
    ) -> None:
        for seconds in (0, 60, 0, 60):
            bench.pool.set_priority_aging(seconds)
        PoolSetting.objects.update(revision=2)
        bench.pool.set_priority_aging(0)
        assert in_force(bench.pool).seconds == 0

    def test_the_monitor_brings_a_store_that_is_behind(self, bench: Bench) -> None:
        bench.pool.set_priority_aging(60)
        PoolSetting.objects.update(value=0, revision=7)
        bench.pool.run_monitor_round()
        assert in_force(bench.pool) == ledger_controls.kept_aging(3600)

    @pytest.mark.parametrize("seconds", [-1, 1e9, float("nan"), True, "60", None])
    def test_refuses_nonsense(self, bench: Bench, seconds: Any) -> None:
        with pytest.raises(InvalidControl):
            bench.pool.set_priority_aging(seconds)
        assert not PoolSetting.objects.exists()

    def test_is_not_kept_when_the_store_is_lost(self, bench: Bench) -> None:
        bench.pool.get_max_workers()
        bench.store.is_lost = True
        with pytest.raises(PoolUnavailable):
            bench.pool.set_priority_aging(0)
        assert not PoolSetting.objects.exists()
        assert not AuditRecord.objects.exists()

    def test_no_secret_gets_into_a_reason(self, bench: Bench) -> None:
        made = bench.pool.set_priority_aging(
            0, change=ChangeRequest(reason="password=hunter2secret")
        )
        assert "hunter2secret" not in made.priority_aging.reason
        assert "hunter2secret" not in PoolSetting.objects.get().reason

    def test_the_forecast_goes_by_the_rule_in_force(self, bench: Bench) -> None:
        bench.pool.pause()
        bench.pool.submit_task("genius", "leads", priority=-10)
        bench.clock.advance(hours=24 * 365)
        asked = Submission("hubspot", "deals", priority=-9)
        assert bench.pool.forecast(asked).position == 2
        bench.pool.set_priority_aging(0)
        assert bench.pool.forecast(asked).position == 1


@pytest.mark.redis
class TestUnfinished:
    @pytest.fixture
    def pool(self, redis_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Two tasks wait for their place by a new rule."""
        monkeypatch.setattr(celery_view, "in_hand", dict)
        client = Redis.from_url(redis_server.url(4))
        with own_keys(client) as keys:
            store = redis_pool(client, PoolPolicy(), keys).store
            pool = WorkerPoolService(store, conf=CONF, send=Broker())
            pool.pause()
            for priority in (0, 1):
                pool.submit_task("genius", "leads", priority=priority)
            store.set_priority_aging(PriorityAging(0, revision=9))
            store.resume(None, change=ANN)
            PoolSetting.objects.all().delete()
            yield pool
        client.close()

    def test_the_doctor_finds_it_and_finishes_it(self, pool: WorkerPoolService) -> None:
        (found,) = pool.examine().findings
        assert (found.code, found.is_safe) == ("ORDER_UNFINISHED", True)
        assert pool.repair([found], change=ChangeRequest("ann")) == (found,)
        assert pool.examine().findings == ()
        assert len(pool.get_active_tasks()) == 2

    def test_any_process_finishes_it(self, pool: WorkerPoolService) -> None:
        assert pool.store.claim(token="t") == ()
        other = WorkerPoolService(pool.store, conf=CONF, send=Broker())
        other.worker_tick("celery@host", capacity=4)
        assert len(other.get_active_tasks()) == 2

    def test_status_says_so(self, pool: WorkerPoolService) -> None:
        assert pool.peek().controls.priority_aging.is_rescoring


class TestCommandLine:
    def test_changes_it_and_says_who_and_why(self, pool: WorkerPoolService) -> None:
        words = ("config", "--priority-aging-seconds", "0", "--reason", "night", "--json")
        found = manage(*words).shape["controls"]["priority_aging"]
        assert (found["seconds"], found["revision"], found["reason"]) == (0, 2, "night")
        assert found["set_by"].endswith("(command line)")
        shown = manage("config").out
        assert "Priority aging: none, strict priority (set by " in shown
        assert "(command line) at " in shown

    def test_changes_the_limit_in_the_same_call(self, pool: WorkerPoolService) -> None:
        manage("config", "--priority-aging-seconds", "60", "--max-workers", "5")
        assert (in_force(pool).seconds, pool.get_max_workers()) == (60, 5)

    @pytest.mark.parametrize("typed", ["-1", "1e9", "nan", "soon", ""])
    def test_refuses_nonsense(self, pool: WorkerPoolService, typed: str) -> None:
        ran = shell("config", f"--priority-aging-seconds={typed}")
        assert ran.code == 2
        assert in_force(pool).revision == 1

    @pytest.mark.parametrize("words", [("--crm", "hubspot"), ("--expires", "2h")])
    def test_refuses_what_it_has_not(self, pool: WorkerPoolService, words: tuple[str, ...]) -> None:
        assert manage("config", "--priority-aging-seconds", "0", *words).code == 2
        assert in_force(pool).revision == 1

    def test_status_and_config_show_that_the_environment_differs(self, bench: Bench) -> None:
        bench.pool.snapshot()
        with use_worker_pool(strict_process(bench)):
            assert f"Warning: {WARNING}" in manage("status").out
            assert f"Warning: {WARNING}" in manage("config").out
            assert manage("config", "--json").shape["warnings"] == [WARNING]
            assert manage("status", "--json").shape["warnings"] == [WARNING]


class TestPagesAndApi:
    def test_the_settings_page_shows_what_is_stronger(
        self, pool: WorkerPoolService, settings: Any
    ) -> None:
        viewer = browser(member("Viewers"))
        pool.set_priority_aging(60, change=ChangeRequest("ann", "month's end"))
        page = viewer.get("/settings/").content.decode()
        assert "Seconds of waiting that a level of priority is worth" in page
        assert "month&#x27;s end" in page
        settings.WORKER_POOL_PRIORITY_AGING_SECONDS = 0
        page = viewer.get("/settings/").content.decode()
        assert "but 60 is in force for every process" in page
        assert "config --priority-aging-seconds 0" in page

    def test_it_is_changed_by_those_who_configure(self, pool: WorkerPoolService) -> None:
        boss: Client = program("admin", "boss")
        given = {"seconds": 0, "reason": "night"}
        answer = boss.put("/api/priority-aging", given, content_type=JSON)
        found = answer.json()["controls"]["priority_aging"]
        assert (found["seconds"], found["set_by"]) == (0, "token boss")
        assert in_force(pool).seconds == 0

    @pytest.mark.parametrize("seconds", [-1, 10**9, "60", True, None])
    def test_a_number_of_seconds_is_meant(self, pool: WorkerPoolService, seconds: Any) -> None:
        boss: Client = program("admin", "boss")
        answer = boss.put("/api/priority-aging", {"seconds": seconds}, content_type=JSON)
        assert answer.status_code == 422
        assert in_force(pool).revision == 1


class TestUpgrade:
    def test_tasks_at_the_old_front_stay_in_front_in_their_order(self, bench: Bench) -> None:
        bench.pool.pause()
        ids = [bench.pool.submit_task("genius", "leads") for _ in range(4)]
        for task_id, front_score in zip(ids[:3], (900, -5, 77), strict=True):
            task = bench.pool.get_task_status(task_id)
            assert task is not None
            kept = ledger_state.columns_of(replace(task, front_score=front_score))
            SyncHistory.objects.filter(worker_pool_task_id=task_id).update(**kept)
        ActiveStoreState.objects.update_or_create(pk=1, defaults={"epoch": 5})
        migration = importlib.import_module("ingestion.migrations.0010_order_rule")
        migration.move_fronts(apps, None)
        assert migration.FRONT == FRONT
        rows = SyncHistory.objects.order_by("front_score").filter(front_score__isnull=False)
        assert [row.worker_pool_task_id for row in rows] == [ids[1], ids[2], ids[0]]
        fronts = [FRONT - 3, FRONT - 2, FRONT - 1]
        assert [row.front_score for row in rows] == fronts
        assert [ledger_state.record_of(row).task.front_score for row in rows] == fronts
        assert ActiveStoreState.objects.look().epoch == 6

    def test_without_one_redis_keeps_its_state(self, bench: Bench) -> None:
        bench.pool.submit_task("genius", "leads")
        ActiveStoreState.objects.update_or_create(pk=1, defaults={"epoch": 5})
        importlib.import_module("ingestion.migrations.0010_order_rule").move_fronts(apps, None)
        assert ActiveStoreState.objects.look().epoch == 5


def test_the_setting_is_named_as_it_is_read() -> None:
    assert aging.SETTING in {found.name for found in setting_values()}
