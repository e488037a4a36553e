"""What a failed, stopped or killed run leaves, and runs at the same time, on every warehouse."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    SyncBusy,
    SyncCancelled,
    TransientError,
)
from ingestion.sync.common.locks import lock
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.tables import own_tables
from tests.fake_crm import (
    CALLS,
    JOBS,
    LEADS,
    USERS,
    FakeSource,
    people,
)
from tests.sync_world import ROOT, World, counts


class StopsAt:
    """A reporter that asks the run to stop at a step."""

    def __init__(self, step: str) -> None:
        self._stops_at = step
        self._step = ""

    def step(self, model: str, step: str) -> None:
        self._step = step

    def advance(self, model: str, *, rows: int) -> None:
        self.check()

    def check(self) -> None:
        if self._step == self._stops_at:
            raise SyncCancelled("asked to stop")

    def check_known(self) -> None: ...


@pytest.mark.parametrize("step", ["extract", "load"])
def test_a_cancelled_run_leaves_nothing_behind(world: World, step: str) -> None:
    world.source.records["leads"] = people(1)
    world.run(LEADS)
    world.source.records["leads"] = people(50)
    with pytest.raises(SyncCancelled, match="asked to stop"):
        world.run(LEADS, reporter=StopsAt(step))
    assert [p.name for p in world.pipelines_dir.iterdir()] == ["locks"]
    assert world.run(LEADS).created + len(world.ids(LEADS)) >= 50
    assert world.ids(LEADS) == list(range(1, 51))
    assert world.run(LEADS).created == 0


def test_a_cancel_is_heard_until_the_commit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    keep_state = own_tables.keep_state

    class Stops(SilentReporter):
        def check(self) -> None:
            if asked.is_set():
                raise SyncCancelled("asked to stop")

    def keep_and_ask(*given: Any) -> None:
        keep_state(*given)
        asked.set()

    world.source.records["leads"] = people(1)
    world.run(LEADS)
    world.source.records["leads"] = people(3)
    monkeypatch.setattr(own_tables, "keep_state", keep_and_ask)
    with pytest.raises(SyncCancelled):
        world.run(LEADS, reporter=Stops())
    assert world.ids(LEADS) == [1]


@pytest.mark.parametrize(
    "error",
    [CredentialsError("no"), TransientError("later", retry_after_seconds=7), SyncCancelled("stop")],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("page", [0, 1])
def test_an_error_of_a_source_comes_out_as_itself(
    world: World, error: BaseException, page: int
) -> None:
    def fail(model: str, number: int) -> None:
        if number == page:
            raise error

    world.source.records["users"] = people(150)
    world.source.on_page = fail
    with pytest.raises(type(error)) as caught:
        world.run(USERS)
    assert caught.value is error


def test_an_error_that_nobody_foresaw_is_permanent_and_names_its_cause(world: World) -> None:
    def fail(model: str, number: int) -> None:
        if number == 1:
            raise KeyError("deals")

    world.source.records["users"] = people(150)
    world.source.on_page = fail
    with pytest.raises(PermanentError, match="KeyError: 'deals'"):
        world.run(USERS)


def test_a_failed_run_tells_what_it_had_counted(world: World) -> None:
    def fail(model: str, number: int) -> None:
        if number == 1:
            raise TransientError("cut")

    world.source.records["users"] = people(150)
    world.source.on_page = fail
    result = ModelResult("users")
    with pytest.raises(TransientError):
        run_model(world.prepared(USERS), result)
    assert result.processed == 100


def test_a_second_run_of_the_same_model_is_busy(world: World) -> None:
    with (
        lock(
            "fake.leads",
            warehouse=world.warehouse,
            lock_dir=world.pipelines_dir / "locks",
            wait_seconds=0,
            check=lambda: None,
        ),
        pytest.raises(SyncBusy, match=r"Another run of fake\.leads is loading"),
    ):
        world.run(LEADS)


@pytest.mark.postgres
def test_machines_that_share_a_warehouse_wait_for_each_other(
    postgres_database: Callable[[], str], tmp_path: Path
) -> None:
    url = postgres_database()
    here = World(FakeSource(), url, tmp_path / "here", Warehouse(url))
    with (
        lock(
            "fake.leads",
            warehouse=Warehouse(url),
            lock_dir=tmp_path / "there",
            wait_seconds=0,
            check=lambda: None,
        ),
        pytest.raises(SyncBusy),
    ):
        here.run(LEADS)


@pytest.mark.parametrize("step", ["extract", "load", "loading"])
def test_what_a_killed_run_left_is_repaired_by_the_next(world: World, step: str) -> None:
    world.source.records["leads"] = people(2)
    world.run(LEADS)
    killed = world.in_another_process(300, "leads", step)
    assert killed.wait(timeout=120) == -9, killed.stderr.read() if killed.stderr else ""
    world.source.records["leads"] = people(300)
    world.run(LEADS)
    assert world.ids(LEADS) == list(range(1, 301))
    assert counts(world.run(LEADS))[1:] == (0, 0, 0)


def test_processes_load_models_of_one_new_dataset_at_once(world: World) -> None:
    running = [world.in_another_process(200, models) for models in ("leads,users", "jobs,calls")]
    for process in running:
        _, errors = process.communicate(timeout=240)
        assert process.returncode == 0, errors
    for model in (LEADS, USERS, JOBS, CALLS):
        assert world.ids(model) == list(range(1, 201))


def test_readers_never_see_a_half_loaded_table(world: World) -> None:
    """While a full rewrite is loaded, each look at the table finds every row."""
    if world.warehouse.is_duckdb:
        pytest.skip("readers wait until the load has closed the file")
    seen: list[int] = []

    class Looks(SilentReporter):
        def check(self) -> None:
            seen.append(len(world.ids(USERS, deleted=None)))

    world.source.records["users"] = people(100)
    world.run(USERS)
    world.run(USERS, force=True, mode="full", reporter=Looks())
    assert seen
    assert set(seen) == {100}


def test_a_warehouse_that_cannot_be_reached_is_worth_another_try(tmp_path: Path) -> None:
    url = "postgresql://nobody:secret-word@127.0.0.1:1/none"
    world = World(FakeSource({"users": people(1)}), url, tmp_path, Warehouse(url))
    with pytest.raises(TransientError) as caught:
        world.run(USERS)
    assert "secret-word" not in str(caught.value)


def test_no_run_imports_dlt(world: World) -> None:
    """It takes a second and a hundred megabytes, and loads other warehouses only."""
    program = (
        "import sys; from tests.sync_process import main; main(*sys.argv[1:]);"
        " sys.exit('dlt' in sys.modules)"
    )
    words = [world.url, str(world.pipelines_dir), "3", "leads"]
    subprocess.run([sys.executable, "-c", program, *words], cwd=ROOT, check=True, timeout=120)
    assert world.ids(LEADS) == [1, 2, 3]
