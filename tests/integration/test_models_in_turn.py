"""The models of one sync: in their order, with the next one's pages fetched meanwhile, and no more
connections to the warehouse than may be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from ingestion.services.runs import in_turn as in_turn_module
from ingestion.services.runs.in_turn import InTurn
from ingestion.sync.common.errors import CredentialsError, NotAllowed
from ingestion.sync.common.locks import lock
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Columns, Model
from ingestion.sync.load.pipeline import ModelRun
from tests.fake_crm import JOBS, LEADS, USERS, FakeSource, people
from tests.sync_world import World, counts

PATIENCE_SECONDS = 30
MODELS = (LEADS, USERS, JOBS)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert not [t.name for t in threading.enumerate() if t.name.startswith("read ahead")]


@dataclass
class Watched(SilentReporter):
    """The steps in their order; ``look`` is called at each page and step."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    look: Any = lambda: None

    def step(self, model: str, step: str) -> None:
        self.steps.append((model, step))
        self.look()

    def advance(self, model: str, *, rows: int) -> None:
        self.look()


def run_all(
    world: World,
    models: tuple[Model, ...] = MODELS,
    *,
    at_once: int = 2,
    reporter: SilentReporter | None = None,
    **options: Any,
) -> dict[str, ModelResult]:
    """Raises the first error, when the models before it are loaded."""
    runs = [world.prepared(model, reporter, **options) for model in models]
    in_turn = InTurn(runs, ModelRun, at_once=at_once)
    results = {}
    with closing(in_turn):
        for result, run in in_turn.runs():
            run()
            results[result.model] = result
    return results


def fill(world: World, rows: int = 30) -> None:
    for model in MODELS:
        world.source.records[model.name] = people(rows)


def test_the_next_model_is_asked_for_before_one_is_loaded(world: World) -> None:
    begun = {model.name: threading.Event() for model in MODELS}
    fill(world)
    world.source.on_page = lambda model, number: begun[model].set()
    reporter = Watched()

    def look() -> None:
        model, step = reporter.steps[-1]
        following = {"leads": "users", "users": "jobs"}.get(model)
        if step == "load" and following:
            assert begun[following].wait(PATIENCE_SECONDS)

    reporter.look = look
    found = run_all(world, reporter=reporter)
    assert [counts(result) for result in found.values()] == [(30, 30, 0, 0)] * 3
    told = [step for step in reporter.steps if step[1] in ("extract", "load")]
    assert told == [(model.name, step) for model in MODELS for step in ("extract", "load")]


def test_with_one_connection_a_model_begins_when_the_one_before_it_has_ended(world: World) -> None:
    asked: list[str] = []
    fill(world)
    world.source.on_page = lambda model, number: asked.append(model)
    reporter = Watched()
    reporter.look = lambda: asked.append(reporter.steps[-1][1])
    run_all(world, at_once=1, reporter=reporter)
    assert asked.index("users") > asked.index("load")


def test_what_comes_after_others_is_not_asked_for_before_they_are_loaded(world: World) -> None:
    last = replace(JOBS, after_others=True)
    fill(world)
    loaded_when_asked: list[int] = []

    def ask(model: str, number: int) -> None:
        if model == "jobs":
            loaded_when_asked.append(len(world.ids(USERS)))

    world.source.on_page = ask
    run_all(world, (LEADS, USERS, last), at_once=3)
    assert loaded_when_asked == [30]
    assert [m.name for m in crm("hubspot").models if m.after_others] == ["associations"]
    assert crm("hubspot").models[-1].name == "associations"


def test_an_error_of_a_model_that_was_begun_early_is_raised_in_its_turn(world: World) -> None:
    class Refuses(FakeSource):
        def columns(self, model: Model) -> Columns:
            if model.name == "users":
                raise NotAllowed("users may not be read")
            return {}

    fill(world)
    world.source = Refuses(world.source.records)
    with pytest.raises(NotAllowed, match="users may not be read"):
        run_all(world)
    assert world.ids(LEADS) == list(range(1, 31))


def test_what_is_begun_early_ends_with_a_run_that_fails(world: World) -> None:
    def fails(model: str, number: int) -> None:
        if model == "leads":
            raise CredentialsError("no")

    fill(world)
    world.source.on_page = fails
    with pytest.raises(CredentialsError):
        run_all(world, at_once=3)
    world.source.on_page = lambda model, number: None
    assert [counts(r)[1] for r in run_all(world).values()] == [30, 30, 30]


def test_a_model_that_another_run_loads_is_waited_for_in_its_turn(world: World) -> None:
    fill(world)
    held = lock(
        "fake.users",
        warehouse=world.warehouse,
        lock_dir=world.pipelines_dir / "locks",
        wait_seconds=0,
        check=lambda: None,
    )
    held.__enter__()
    reporter = Watched()

    def look() -> None:
        if reporter.steps[-1] == ("leads", "load") and not given_back:
            given_back.append(held.__exit__(None, None, None))

    given_back: list[Any] = []
    reporter.look = look
    found = run_all(world, reporter=reporter)
    assert [counts(result)[1] for result in found.values()] == [30, 30, 30]


def test_a_model_that_takes_long_gives_back_the_locks_of_those_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_turn_module, "LONGEST_EARLY_SECONDS", -1.0)
    fill(world)
    reporter, could_be_had = Watched(), list[str]()

    def look() -> None:
        if reporter.steps[-1] == ("leads", "load"):
            with lock(
                "fake.users",
                warehouse=world.warehouse,
                lock_dir=world.pipelines_dir / "locks",
                wait_seconds=0,
                check=lambda: None,
            ):
                could_be_had.append("users")

    reporter.look = look
    found = run_all(world, reporter=reporter)
    assert could_be_had == ["users"]
    assert [counts(result) for result in found.values()] == [(30, 30, 0, 0)] * 3


def test_each_model_has_its_own_counts_and_seconds(world: World) -> None:
    fill(world)
    found = run_all(world, at_once=3)
    for result in found.values():
        assert result.processed == 30
        assert result.seconds.keys() >= {"prepare", "extract", "load", "other"}


@pytest.mark.postgres
@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_sync_has_no_more_connections_than_may_be(postgres_world: World, at_once: int) -> None:
    world = postgres_world
    seen: list[int] = []
    url = world.url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as admin:

        def look() -> None:
            ((count,),) = admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            ).fetchall()
            seen.append(count)

        for _ in range(2):  # a first load, and one that finds nothing new
            fill(world, rows=300)
            run_all(world, at_once=at_once, reporter=Watched(look=look))
    assert max(seen) == at_once


@pytest.fixture
def postgres_world(postgres_database: Any, tmp_path: Any) -> Iterator[World]:
    from ingestion.sync.common.warehouse import Warehouse

    url = postgres_database()
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()
