"""One prefix in one Redis belongs to one installation; a second one is told so and changes nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from ingestion.models import ActiveStoreState, AuditRecord, SyncHistory
from ingestion.pool.errors import OtherInstallation, PoolUnavailable
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.services.failover import installation
from ingestion.services.system import embedded_redis
from tests.integration.failover_testbed import FailoverTestbed, failover_testbed
from tests.integration.system import wait_for
from tests.integration.test_pool_cli_process import ROOT, System, environment, submit
from tests.ledger_file import write_ledger

pytestmark = [pytest.mark.redis, pytest.mark.django_db(transaction=True)]

OTHER = "b" * 32
OWNER = "the database /elsewhere.sqlite3, used on another"
TAKE_OVER = "manage.py manage_worker_pool take-over"
WORKER_SECONDS = 60


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FailoverTestbed]:
    with failover_testbed(tmp_path) as bench:
        yield bench


def other_store(bench: FailoverTestbed, epoch: int | None = 1) -> RebuildableRedisStore:
    store = RebuildableRedisStore(bench.redis, bench.keys, bench.policy, owner=OWNER)
    return store.at(epoch, installation=OTHER)


def let_other_build(bench: FailoverTestbed) -> None:
    other_store(bench, None).rebuild([], epoch=1, controls={})


def owner_in_redis(bench: FailoverTestbed) -> str:
    kept: Any = bench.redis.hget(bench.keys.config, "installation")
    return str((kept or b"").decode())


def test_the_second_installation_is_refused_and_changes_nothing(bench: FailoverTestbed) -> None:
    let_other_build(bench)
    before: Any = bench.redis.hgetall(bench.keys.config)
    with pytest.raises(OtherInstallation) as refused:
        bench.submit()
    assert OWNER in str(refused.value)
    assert TAKE_OVER in str(refused.value)
    for verb in (bench.pool.snapshot, bench.pool.examine, bench.pool.run_monitor_round):
        with pytest.raises(OtherInstallation):
            verb()
    with pytest.raises(OtherInstallation):
        bench.pool.reset_state(force=True)
    assert bench.redis.hgetall(bench.keys.config) == before
    assert SyncHistory.objects.count() == 0
    assert not ActiveStoreState.objects.look().is_degraded
    assert other_store(bench).snapshot().active_count == 0


def test_one_that_takes_over_has_its_own_tasks_there_and_the_other_is_refused(
    bench: FailoverTestbed,
) -> None:
    tasks = [bench.submit() for _ in range(3)]
    bench.redis.flushall()
    let_other_build(bench)
    with pytest.raises(OtherInstallation):
        bench.pool.get_queued_tasks()
    assert bench.pool.take_over() == {"restored": 3}
    found = [*bench.pool.get_active_tasks(), *bench.pool.get_queued_tasks()]
    assert [task.id for task in found] == tasks
    with pytest.raises(OtherInstallation):
        other_store(bench).snapshot()
    assert AuditRecord.objects.filter(action="take_over").exists()


def test_a_running_pool_without_an_id_goes_on_and_gets_one(bench: FailoverTestbed) -> None:
    tasks = [bench.submit() for _ in range(3)]
    epoch = ActiveStoreState.objects.look().epoch
    bench.redis.hdel(bench.keys.config, "installation", "owner")
    ActiveStoreState.objects.update(installation="", database="")
    upgraded = bench.another_process()
    found = [*upgraded.get_active_tasks(), *upgraded.get_queued_tasks()]
    assert [task.id for task in found] == tasks
    kept = ActiveStoreState.objects.look()
    assert kept.installation == owner_in_redis(bench) != ""
    assert kept.epoch == epoch


def test_an_emptied_redis_is_built_again_with_the_id(bench: FailoverTestbed) -> None:
    task_id = bench.submit()
    bench.redis.flushall()
    assert bench.task(task_id).id == task_id
    assert owner_in_redis(bench) == ActiveStoreState.objects.look().installation


def test_a_redis_that_comes_back_as_somebody_elses_is_refused_until_it_is_taken_over(
    bench: FailoverTestbed,
) -> None:
    task_id = bench.submit()
    bench.lose_redis()
    assert bench.task(task_id).id == task_id
    bench.server.start()
    let_other_build(bench)

    def is_refused() -> bool:
        try:
            bench.pool.peek()
        except OtherInstallation:
            return True
        except PoolUnavailable:
            pass
        return False

    wait_for(is_refused, what="the refusal")
    with pytest.raises(OtherInstallation):
        bench.pool.peek()
    assert bench.pool.take_over() == {"restored": 1}
    assert not bench.is_degraded()
    assert bench.task(task_id).id == task_id


def test_a_database_that_was_copied_gets_an_id_of_its_own(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.sqlite3", tmp_path / "second.sqlite3"
    first.touch()
    monkeypatch.setattr(installation, "_place", lambda: f"sqlite:{first}")
    installation.agree()
    original = installation.known()
    installation.agree()
    assert installation.known() == original != ""
    monkeypatch.setattr(installation, "_place", lambda: f"sqlite:{second}")
    assert installation.known() == ""
    installation.agree()
    assert installation.known() not in ("", original)


def test_a_file_that_was_only_moved_keeps_its_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(installation, "_place", lambda: f"sqlite:{tmp_path / 'gone.sqlite3'}")
    installation.agree()
    original = installation.known()
    monkeypatch.setattr(installation, "_place", lambda: f"sqlite:{tmp_path / 'here.sqlite3'}")
    assert installation.known() == original != ""


@pytest.fixture
def pair(
    tmp_path: Path, redis_server: embedded_redis.EmbeddedRedis
) -> Iterator[tuple[System, System]]:
    """A system that runs, and another one whose database is a copy of its own."""
    folders = [tmp_path / name for name in ("first", "copy")]
    for folder in folders:
        folder.mkdir()
    for database in (0, 1):
        with redis.Redis.from_url(redis_server.url(database)) as client:
            client.flushdb()
    first, copy = (System(environment(folder, redis_server.url)) for folder in folders)
    write_ledger(folders[0] / "ledger.sqlite3")
    submit(first)
    shutil.copyfile(folders[0] / "ledger.sqlite3", folders[1] / "ledger.sqlite3")
    yield first, copy
    with redis.Redis.from_url(redis_server.url(1)) as client:
        client.flushdb()


def worker(system: System) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "celery", "-A", "data_warehouse", "worker", "--pool", "solo"],
        cwd=ROOT,
        env=system.environment,
        capture_output=True,
        text=True,
        timeout=WORKER_SECONDS,
        check=False,
    )


def test_a_copy_is_told_whose_redis_it_is_everywhere_until_it_takes_over(
    pair: tuple[System, System],
) -> None:
    first, copy = pair
    told = [copy.pool("status"), copy.pool("doctor"), copy.pool("submit", "hubspot", "all")]
    assert [ran.returncode for ran in told] == [5, 5, 5]
    refused = worker(copy)
    assert refused.returncode != 0
    for ran in (*told, copy.manage("check"), refused):
        assert "first/ledger.sqlite3" in ran.stderr
        assert TAKE_OVER in ran.stderr
    status = first.pool("status", "--json")
    assert json.loads(status.stdout)["active_count"] == 1, status.stderr
    assert copy.pool("take-over", "--yes", "--json").returncode == 0
    assert json.loads(copy.pool("status", "--json").stdout)["active_count"] == 1
    refused_now = first.pool("status")
    assert refused_now.returncode == 5
    assert "copy/ledger.sqlite3" in refused_now.stderr
