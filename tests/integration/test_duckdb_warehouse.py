"""What is a DuckDB warehouse's own: one process has a file open, decimals are 38 digits wide, no index."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from ingestion.services.data.errors import TookTooLong
from ingestion.services.data.tables import reading
from ingestion.sync.common.errors import SyncBusy
from ingestion.sync.common.files import duckdb_file
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.accept import accept
from tests.fake_crm import FAKE, LEADS, USERS, FakeSource, people
from tests.sync_world import World, counts

NUMBERS = Model("users", columns={"id": "bigint", "n": "decimal"})
OPEN_UNTIL_TOLD = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.readline()
connection.close()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"duckdb:///{tmp_path / 'warehouse' / 'w.duckdb'}"
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUSY_SECONDS", "READ_BUSY_SECONDS"):
        monkeypatch.setattr(duckdb_file, name, 0.2)


def file_of(world: World) -> Path:
    return Path(str(world.warehouse.dataset(FAKE.name).engine.url.database))


def test_a_crm_has_a_file_that_is_its_owners_alone(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    assert file_of(world).name == "w__fake.duckdb"
    modes = {
        file.name: stat.S_IMODE(file.stat().st_mode) for file in file_of(world).parent.iterdir()
    }
    assert modes == {"w__fake.duckdb": 0o600, "w__fake.duckdb.lock": 0o600}


def test_a_dry_run_makes_no_file(world: World) -> None:
    world.source.records["users"] = people(2)
    assert counts(world.run(USERS, dry_run=True)) == (2, 2, 0, 0)
    assert not file_of(world).exists()
    world.run(USERS)
    world.source.records["users"] = people(3)
    assert counts(world.run(USERS, dry_run=True)) == (3, 1, 0, 0)
    assert world.ids(USERS) == [1, 2]


@pytest.mark.usefixtures("impatient")
def test_who_waits_in_vain_is_told_which_model_loads(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    holding = duckdb_file.opened(
        file_of(world), lambda: None, who="fake.leads", writes=True, wait_seconds=0
    )
    with holding:
        told = r"w__fake\.duckdb is busy: fake\.leads \(process \d+\) has it open"
        with pytest.raises(SyncBusy, match=told):
            world.run(USERS)
        with pytest.raises(SyncBusy, match=told):
            world.rows(USERS)
    assert counts(world.run(USERS)) == (1, 0, 0, 0)
    assert world.ids(USERS) == [1]


@pytest.mark.usefixtures("impatient")
def test_another_program_that_has_the_file_open_is_named(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    client = subprocess.Popen(
        [sys.executable, "-c", OPEN_UNTIL_TOLD, str(file_of(world))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdout
    assert client.stdout.readline() == "open\n"
    with pytest.raises(SyncBusy, match=rf"\(PID {client.pid}\) has it open; waited 0\.2 seconds"):
        world.run(USERS)
    client.communicate("done\n", timeout=60)
    assert counts(world.run(USERS)) == (1, 0, 0, 0)


def test_reading_the_crm_keeps_nobody_from_the_file(world: World) -> None:
    """Only the load has it open."""
    world.source.records["users"] = people(250)
    world.source.records["leads"] = people(3)
    world.run(LEADS)
    seen: list[list[int]] = []
    world.source.on_page = lambda model, number: seen.append(world.ids(LEADS))
    world.run(USERS)
    assert seen == [[1, 2, 3]] * 3


def test_a_decimal_with_more_digits_stands_aside_until_texts_are_accepted(world: World) -> None:
    long = "0.123456789012345"
    world.source.records["users"] = [{"id": 1, "n": "1.50"}, {"id": 2, "n": long}]
    result = world.run(NUMBERS)
    assert [row["n"] for row in world.rows(NUMBERS)] == [Decimal("1.5"), None]
    assert "1 values of column n do not fit decimal (1 too_long); they stand in _misfits" in (
        result.schema_changes
    )
    assert world.query("SELECT sum(n), typeof(sum(n)) FROM users") == [
        (Decimal("1.5000000000"), "DECIMAL(38,10)")
    ]
    assert [proposal.becomes for proposal in accept(world.prepared(NUMBERS), ["n"])] == ["text"]
    assert [row["n"] for row in world.rows(NUMBERS)] == ["1.5", long]
    world.run(NUMBERS)
    assert sorted(row["n"] for row in world.rows(NUMBERS)) == [long, "1.50"]


def test_readers_cannot_write(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    engine = world.warehouse.dataset(FAKE.name).engine
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError, match="read-only"):
        connection.exec_driver_sql("DELETE FROM users")


def test_nothing_is_fetched_from_the_servers_of_duckdb() -> None:
    connection = duckdb.connect(":memory:", config=dict(duckdb_file.CONFIG))
    with pytest.raises(duckdb.Error, match="httpfs"):
        connection.execute("SELECT * FROM read_csv('https://127.0.0.1:9/file.csv')")


def test_a_question_ends_with_its_time(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    long = (
        "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3"
    )
    with (
        pytest.raises(TookTooLong),
        reading(world.warehouse.dataset(FAKE.name), seconds=0.2) as connection,
    ):
        connection.exec_driver_sql(long)
