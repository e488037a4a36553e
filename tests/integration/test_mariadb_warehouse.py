"""What is a MariaDB warehouse's own: where its tables stand, what keys, decimals and texts hold, a dry
run, the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.pool.change import ChangeRequest
from ingestion.services.data.errors import TookTooLong
from ingestion.services.data.sql.answer import NoBox
from ingestion.services.data.sql.box import Query, ask
from ingestion.services.data.tables import reading
from ingestion.sync.common.errors import PermanentError, SyncBusy
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.accept import accept
from ingestion.sync.load.columns.steps import Steps
from ingestion.sync.load.pipeline import opened
from ingestion.sync.load.tables.mariadb import MariadbSession
from ingestion.sync.load.tables.session import Row
from tests.fake_crm import FAKE, LEADS, USERS, FakeSource, people
from tests.sync_world import World, counts

pytestmark = pytest.mark.mariadb
NUMBERS = Model("users", columns={"id": "bigint", "n": "decimal"})
TEXT_KEY = Model("users", columns={"id": "text", "name": "text"})


@pytest.fixture
def world(mariadb_database: Callable[[], str], tmp_path: Path) -> Iterator[World]:
    url = mariadb_database()
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


def databases_of(world: World) -> set[str]:
    own = str(world.warehouse.url.database)
    names = sa.inspect(world.warehouse.main_engine).get_schema_names()
    return {name.removeprefix(own) for name in names if name.startswith(own)}


def test_a_crm_has_a_database_beside_the_named_one(world: World) -> None:
    world.source.records["leads"] = people(1)
    world.run(LEADS)
    assert databases_of(world) == {"", f"__{FAKE.name}"}
    assert sa.inspect(world.warehouse.main_engine).get_table_names() == []


def test_a_server_of_mysql_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = MariadbSession.rows

    def of_mysql(session: MariadbSession, statement: str, *parameters: Any) -> list[Row]:
        if statement == "SELECT version()":
            return [("8.0.36",)]
        return rows(session, statement, *parameters)

    monkeypatch.setattr(MariadbSession, "rows", of_mysql)
    with pytest.raises(PermanentError, match=r"version 8\.0\.36: of MySQL's family"):
        world.run(USERS)
    assert databases_of(world) == {""}


def test_a_table_has_a_unique_index_of_its_key(world: World) -> None:
    world.source.records["leads"] = people(1)
    world.run(LEADS)
    schema = world.warehouse.dataset(FAKE.name).schema
    (index,) = sa.inspect(world.warehouse.main_engine).get_indexes("leads", schema=schema)
    assert (index["name"], index["column_names"], index["unique"]) == ("ux_leads", ["id"], True)


def test_a_dry_run_leaves_nothing(world: World) -> None:
    world.source.records["users"] = people(2)
    assert counts(world.run(USERS, dry_run=True)) == (2, 2, 0, 0)
    assert databases_of(world) == {""}
    world.run(USERS)
    before = world.query("SELECT * FROM " + world.table("users"))
    world.source.records["users"] = [{**record, "new field": 1} for record in people(3)]
    assert counts(world.run(USERS, dry_run=True)) == (3, 1, 2, 0)
    assert world.query("SELECT * FROM " + world.table("users")) == before


def test_keys_that_differ_in_case_accents_or_blanks_are_several(world: World) -> None:
    keys = ["a", "A", "á", "a ", " a", "a\\", "a'"]
    world.source.records["users"] = [{"id": key, "name": key} for key in keys]
    assert counts(world.run(TEXT_KEY)) == (7, 7, 0, 0)
    assert counts(world.run(TEXT_KEY, mode="full")) == (7, 0, 0, 0)
    assert sorted(row["name"] for row in world.rows(TEXT_KEY)) == sorted(keys)


def test_a_key_that_no_index_takes_is_rejected(world: World) -> None:
    world.source.records["users"] = [
        {"id": "k" * 768, "name": "fits"},
        {"id": "k" * 769, "name": "too long"},
    ]
    assert world.run(TEXT_KEY).failed == 1
    assert [row["name"] for row in world.rows(TEXT_KEY)] == ["fits"]
    assert [row["reason"] for row in world.rows(Model("_rejected"), deleted=None)] == ["too_large"]


def test_each_column_of_a_key_has_its_share_of_the_index(world: World) -> None:
    model = Model("users", key=("id", "part"), columns={"id": "text", "part": "text"})
    world.source.records["users"] = [
        {"id": "k" * 384, "part": "p" * 384},
        {"id": "k", "part": "p" * 385},
    ]
    assert world.run(model).failed == 1
    assert [row["part"] for row in world.rows(model)] == ["p" * 384]


def test_a_decimal_with_more_digits_stands_aside_until_texts_are_accepted(world: World) -> None:
    long = "0." + "1" * 21
    world.source.records["users"] = [{"id": 1, "n": "1.50"}, {"id": 2, "n": long}]
    world.run(NUMBERS)
    assert [row["n"] for row in world.rows(NUMBERS)] == [Decimal("1.5"), None]
    assert [proposal.becomes for proposal in accept(world.prepared(NUMBERS), ["n"])] == ["text"]
    world.run(NUMBERS)
    assert sorted(row["n"] for row in world.rows(NUMBERS)) == [long, "1.50"]


def test_two_machines_do_not_load_one_model_at_once(world: World, tmp_path: Path) -> None:
    """Each has its own lock files; the server's lock is between both."""
    world.source.records["users"] = people(1)
    elsewhere = World(world.source, world.url, tmp_path / "elsewhere", world.warehouse)
    with opened(elsewhere.prepared(USERS), Steps()), pytest.raises(SyncBusy):
        world.run(USERS)
    assert counts(world.run(USERS)) == (1, 1, 0, 0)


def test_a_column_that_somebody_has_narrowed_takes_everything_again(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "name": "short"}]
    world.run(USERS)
    world.execute(f"ALTER TABLE {world.table('users')} MODIFY name VARCHAR(5)")
    world.source.records["users"] = [{"id": 1, "name": "longer than five"}]
    world.run(USERS)
    assert [row["name"] for row in world.rows(USERS)] == ["longer than five"]


def test_a_page_can_only_read(world: World) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    dataset = world.warehouse.dataset(FAKE.name)
    with reading(dataset, seconds=30) as connection:
        found = connection.exec_driver_sql(f"SELECT count(*) FROM {world.table('users')}")
        assert found.scalar() == 2
    with pytest.raises(sa.exc.DBAPIError, match="READ ONLY"), reading(dataset, seconds=30) as other:
        other.exec_driver_sql(f"DELETE FROM {world.table('users')}")
    assert world.ids(USERS) == [1, 2]


def test_a_question_ends_with_its_time(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    long = (
        "SELECT count(*) FROM seq_1_to_100000 a JOIN seq_1_to_100000 b ON MOD(a.seq * b.seq, 7) = 3"
    )
    with (
        pytest.raises(TookTooLong),
        reading(world.warehouse.dataset(FAKE.name), seconds=0.2) as connection,
    ):
        connection.exec_driver_sql(long)


@pytest.mark.django_db
def test_a_question_in_sql_is_refused_with_who_takes_one(world: World, settings: Any) -> None:
    settings.INGESTION_WAREHOUSE_URL = world.url
    with pytest.raises(
        NoBox, match=r"Only warehouses of SQLite and PostgreSQL can be asked in SQL"
    ):
        ask(Query("genius", "SELECT 1"), change=ChangeRequest(by="ann (tests)"))
