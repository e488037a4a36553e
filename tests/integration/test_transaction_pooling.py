"""Warehouse and ledger behind a real pgbouncer in transaction mode."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
import pytest

from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.sync.common import locks
from ingestion.sync.common.errors import SyncBusy, TransientError
from ingestion.sync.common.locks import Ask, HeldLock, lock, number_of
from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import LEADS, USERS, FakeSource, people
from tests.integration.system import running_system, wait_for
from tests.sync_world import World, counts

pytestmark = pytest.mark.postgres

Pooler = Callable[[str], str]
NAME = "fake.leads"


@pytest.fixture
def direct_url(postgres_database: Callable[[], str]) -> str:
    return postgres_database()


@pytest.fixture
def url(direct_url: str, pgbouncer: Pooler) -> str:
    return pgbouncer(direct_url)


@pytest.fixture
def world(url: str, tmp_path: Path) -> Iterator[World]:
    source, warehouse = FakeSource(), Warehouse(url)
    source.records["leads"] = people(5)
    yield World(source, url, tmp_path / "here", warehouse)
    warehouse.close()


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LEASE_SECONDS", 1.0)


def taken(url: str, folder: Path, *, wait_seconds: float = 0) -> AbstractContextManager[HeldLock]:
    """As another machine would."""
    return lock(
        NAME,
        warehouse=Warehouse(url),
        lock_dir=folder,
        wait_seconds=wait_seconds,
        check=lambda: None,
    )


def locks_left(direct_url: str) -> int:
    with psycopg.connect(direct_url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
            " WHERE locktype = 'advisory' AND datname = current_database()"
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_models_load_again_and_again_and_no_lock_is_left(world: World, direct_url: str) -> None:
    for number in (10, 20, 30):
        world.source.records["leads"] = people(number)
        world.source.records["users"] = people(number)
        for model in (LEADS, USERS):
            assert counts(world.run(model))[1] == 10
        assert world.ids(LEADS) == list(range(1, number + 1))
    assert locks_left(direct_url) == 0


def test_models_load_beside_each_other(world: World, direct_url: str) -> None:
    """Their statements meet each other's sessions."""
    running = [world.in_another_process(200, models) for models in ("leads,users", "jobs,calls")]
    for process in running:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    assert locks_left(direct_url) == 0


def test_a_dry_run_keeps_its_temporary_tables_and_changes_nothing(
    world: World, direct_url: str
) -> None:
    world.run(LEADS)
    world.source.records["leads"] = people(8)
    # What stands in between takes the session that a dry run had.
    others = [psycopg.connect(world.url, autocommit=True, prepare_threshold=None) for _ in range(4)]
    busy = threading.Event()
    noise = [threading.Thread(target=_ask_until, args=(other, busy)) for other in others]
    for thread in noise:
        thread.start()
    try:
        assert counts(world.run(LEADS, dry_run=True))[1] == 3
    finally:
        busy.set()
        for thread in noise:
            thread.join()
        for other in others:
            other.close()
    assert world.ids(LEADS) == list(range(1, 6))
    assert locks_left(direct_url) == 0


def _ask_until(connection: psycopg.Connection, done: threading.Event) -> None:
    while not done.is_set():
        connection.execute("SELECT pg_sleep(0.001)")


def test_another_machine_is_busy_and_gets_the_lock_afterwards(
    world: World, url: str, tmp_path: Path
) -> None:
    with taken(url, tmp_path / "there"), pytest.raises(SyncBusy):
        world.run(LEADS)
    assert world.run(LEADS).created > 0


def test_a_machine_without_the_pooler_sees_the_same_lock(
    world: World, direct_url: str, tmp_path: Path
) -> None:
    with taken(direct_url, tmp_path / "there"), pytest.raises(SyncBusy):
        world.run(LEADS)


def test_an_earlier_release_and_this_one_wait_for_each_other(world: World, direct_url: str) -> None:
    with psycopg.connect(direct_url, autocommit=True) as older:
        older.execute("SELECT pg_advisory_lock(%s)", (number_of(NAME),))
        with pytest.raises(SyncBusy):
            world.run(LEADS)
    world.lock_wait_seconds = 20
    assert world.run(LEADS).created > 0


def test_the_lock_of_a_killed_run_is_free(world: World, tmp_path: Path) -> None:
    world.source.records["leads"] = people(300)
    killed = world.in_another_process(300, "leads", "load")
    assert killed.wait(timeout=120) == -9, killed.stderr.read() if killed.stderr else ""
    elsewhere = World(world.source, world.url, tmp_path / "there", world.warehouse, 10)
    elsewhere.run(LEADS)
    assert elsewhere.ids(LEADS) == list(range(1, 301))


def test_a_lock_is_kept_longer_than_its_lease(short_lease: None, url: str, tmp_path: Path) -> None:
    with taken(url, tmp_path / "here") as held:
        time.sleep(2.5)
        held.verify()
        with pytest.raises(SyncBusy), taken(url, tmp_path / "there"):
            pass


@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize("way", ["pooled", "direct"])
def test_a_paused_holder_loses_its_lock_and_loads_nothing(
    way: str, url: str, direct_url: str, tmp_path: Path
) -> None:
    place = url if way == "pooled" else direct_url
    with taken(place, tmp_path / "here") as held:
        _pause(held)
        with taken(place, tmp_path / "there", wait_seconds=20):
            with psycopg.connect(place) as loading, pytest.raises(TransientError, match="lock of"):
                held.fence(_asking(loading))
            with pytest.raises(TransientError, match="nothing was loaded"):
                held.verify()


@pytest.mark.usefixtures("short_lease")
def test_nobody_takes_the_lock_while_a_load_goes_on_that_had_it(url: str, tmp_path: Path) -> None:
    """The holder is paused in the middle of its load, past its lease."""
    with taken(url, tmp_path / "here") as held:
        with psycopg.connect(url) as loading:
            held.fence(_asking(loading))
            _pause(held)
            with (
                pytest.raises(SyncBusy),
                taken(url, tmp_path / "there", wait_seconds=4),
            ):
                pass
        with taken(url, tmp_path / "there", wait_seconds=20):
            pass


def _pause(held: HeldLock) -> None:
    """As SIGSTOP does: nothing renews the lease."""
    assert held._advisory is not None
    held._advisory._stop.set()


def _asking(connection: psycopg.Connection) -> Ask:
    def ask(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        query = cast("LiteralString", statement.replace("?", "%s"))
        return connection.execute(query, parameters).fetchall()

    return ask


@pytest.mark.redis
@pytest.mark.worker
def test_the_ledger_works_behind_it(url: str, tmp_path: Path, redis_server: EmbeddedRedis) -> None:
    """Submitted, run, cancelled, looked at; with Redis away too, when the ledger decides."""
    given = {"DATABASE_URL": url, "DATABASE_TRANSACTION_POOLING": "true"}
    with running_system(tmp_path / "system", redis_server, **given) as system:
        system.start_worker()
        ids = [system.submit(label) for label in range(1, 7)]
        for task_id in ids:
            assert system.ended(task_id)["status"] == "completed", system.worker_log()
            assert system.closed_row(task_id)["status"] == "success"
        assert system.call("findings")["findings"] == []


@pytest.mark.redis
def test_the_ledger_decides_behind_it(
    url: str, tmp_path: Path, redis_server: EmbeddedRedis
) -> None:
    given = {"DATABASE_URL": url, "DATABASE_TRANSACTION_POOLING": "true"}
    nowhere = {"CACHE_URL": "redis://127.0.0.1:1/1"}
    with running_system(tmp_path / "system", redis_server, **given, **nowhere) as system:
        ids = [system.submit(label) for label in range(1, 6)]
        stats = system.call("get_stats")
        assert stats["degraded"]
        assert stats["queued_count"] + stats["active_count"] == 5
        for task_id in ids:
            system.call("cancel_task", task_id)
        wait_for(lambda: system.call("get_stats")["queued_count"] == 0, what="an empty queue")
