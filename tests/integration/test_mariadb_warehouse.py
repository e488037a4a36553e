"""What a MariaDB warehouse does, through dlt: loads, changes and deletions, and what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.through_dlt.pipeline import run_model
from tests.fake_crm import FAKE, LEADS, FakeSource, people
from tests.sync_world import World, counts


@pytest.fixture
def world(mariadb_database: Callable[[], str], tmp_path: Path) -> Iterator[World]:
    url = mariadb_database()
    warehouse = Warehouse(url)
    world = World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    yield world
    with warehouse.connection() as connection:
        for (name,) in connection.exec_driver_sql("SHOW DATABASES").all():
            if name == FAKE.name or name.startswith(f"{FAKE.name}_staging"):
                connection.exec_driver_sql(f"DROP DATABASE `{name}`")
    warehouse.close()


def load(world: World, **options: object) -> tuple[int, int, int, int]:
    return counts(run_model(world.prepared(LEADS, **options), ModelResult("leads")))


def test_first_loads_changes_and_deletions(world: World) -> None:
    world.source.records["leads"] = people(5)
    assert load(world) == (5, 5, 0, 0)
    world.source.records["leads"] = people(6)
    assert load(world)[1] == 1
    changed = [{**record, "name": "another"} for record in people(6)[:4]]
    world.source.records["leads"] = changed
    assert load(world, mode="full") == (4, 0, 4, 2)
    assert world.query("SELECT count(*) FROM fake.leads WHERE _deleted_at IS NULL") == [(4,)]
    assert {row["name"] for row in world.rows(LEADS)} == {"another"}


def test_a_crm_is_a_database_of_its_own_and_has_no_index_of_the_key(world: World) -> None:
    world.source.records["leads"] = people(1)
    load(world)
    assert sa.inspect(world.warehouse.main_engine).get_indexes("leads", schema="fake") == []
