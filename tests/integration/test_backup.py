"""A drill: back up, lose or spoil everything, restore, and find all as it was."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from ingestion.services.backup import databases
from ingestion.services.system import embedded_redis
from tests.production import manage, production_environment

PASSWORD = "of-this-test"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[embedded_redis.EmbeddedRedis]:
    server = embedded_redis.start(tmp_path_factory.mktemp("redis"), password=PASSWORD)
    yield server
    server.stop()


class Place:
    """An installation, and SQL that tries it."""

    def __init__(self, environment: dict[str, str], ledger: str, warehouse: str) -> None:
        self.environment, self.ledger, self.warehouse = environment, ledger, warehouse

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = manage(*words, environment=self.environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def json(self, *words: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.manage(*words, "--json").stdout)
        return found

    def tasks(self) -> set[str]:
        """The tasks that the pool holds."""
        found = self.json("manage_worker_pool", "list-tasks")
        return {task["id"] for state in ("active", "queued") for task in found[state]}  # type: ignore[attr-defined]

    def rows(self) -> list[tuple[object, ...]]:
        """What the drill must bring back: schedules, accounts, and the warehouse's rows."""
        return [
            *self.ask(self.ledger, "SELECT name, enabled FROM ingestion_syncschedule ORDER BY 1"),
            *self.ask(self.ledger, "SELECT username, password FROM auth_user ORDER BY 1"),
            *self.ask(self.warehouse, f"SELECT id, name FROM {self.table} ORDER BY 1"),
        ]

    @property
    def is_sqlite(self) -> bool:
        return self.ledger.startswith("sqlite")

    @property
    def table(self) -> str:
        return "contacts" if self.is_sqlite else "hubspot.contacts"

    def ask(self, url: str, *statements: str) -> list[tuple[object, ...]]:
        connect = sqlite3.connect if self.is_sqlite else psycopg.connect
        with closing(connect(url.removeprefix("sqlite:///"))) as connection:  # type: ignore[operator]
            for statement in statements:
                cursor = connection.execute(statement)
            found = cursor.fetchall() if cursor.description else []
            connection.commit()
        return list(found)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path: Path, redis: embedded_redis.EmbeddedRedis
) -> Place:
    settings = {"CACHE_URL": redis.url(1), "CELERY_BROKER_URL": redis.url(0)}
    if request.param == "sqlite":
        ledger = f"sqlite:///{tmp_path}/var/ledger.sqlite3"
        warehouse = f"sqlite:///{tmp_path}/var/warehouse/warehouse__hubspot.sqlite3"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        ledger, warehouse = new_database(), new_database()
        settings |= {"DATABASE_URL": ledger, "WAREHOUSE_URL": warehouse}
    # Each test has its own place in the Redis that they share.
    settings["CACHE_KEY_PREFIX"] = f"{{{tmp_path.name}}}"
    return Place(production_environment(tmp_path, **settings), ledger, warehouse)


def prepare(place: Place) -> str:
    """Schedules, an account, rows, and a task that waits; its id."""
    place.manage("deploy", "--schedules", "standard")
    if place.is_sqlite:
        Path(place.warehouse.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    schema = () if place.is_sqlite else ("CREATE SCHEMA hubspot",)
    place.ask(
        place.warehouse,
        *schema,
        f"CREATE TABLE {place.table} (id integer PRIMARY KEY, name text)",
        f"INSERT INTO {place.table} VALUES (1, 'Ada'), (2, 'Grace')",
    )
    return str(place.json("manage_worker_pool", "submit", "hubspot", "all")["task"]["id"])


def spoil(place: Place) -> None:
    """What an accident and a newer version leave behind."""
    place.ask(place.ledger, "DELETE FROM auth_user_groups", "UPDATE auth_user SET password = 'x'")
    place.ask(place.ledger, "UPDATE ingestion_syncschedule SET enabled = false")
    place.ask(place.ledger, "CREATE TABLE of_a_newer_version (id integer)")
    place.ask(place.warehouse, f"UPDATE {place.table} SET name = 'spoiled'")
    place.manage("manage_worker_pool", "clear-queue", "--yes")
    place.manage("manage_worker_pool", "submit", "five9", "contacts")


def test_all_is_as_it_was(place: Place, tmp_path: Path) -> None:
    task_id = prepare(place)
    before = place.rows()
    assert len(before) == 38 + 1 + 2

    made = place.json("backup", str(tmp_path / "backups"))
    spoil(place)
    assert place.rows() != before
    place.manage("restore", str(made["folder"]), "--yes")

    assert place.rows() == before
    assert place.tasks() == {task_id}
    with pytest.raises((sqlite3.Error, psycopg.Error)):
        place.ask(place.ledger, "SELECT * FROM of_a_newer_version")
    assert place.json("manage_worker_pool", "doctor")["findings"] == []


def test_a_new_place_becomes_as_the_old_one_was(
    place: Place,
    tmp_path: Path,
    redis: embedded_redis.EmbeddedRedis,
    request: pytest.FixtureRequest,
) -> None:
    """On a machine with nothing but this program and empty servers."""
    task_id = prepare(place)
    made = place.json("backup", str(tmp_path / "backups"))
    changes = {"VAR_DIR": str(tmp_path / "new/var"), "CACHE_KEY_PREFIX": f"{{new-{tmp_path.name}}}"}
    if place.is_sqlite:
        ledger = f"sqlite:///{tmp_path}/new/var/ledger.sqlite3"
        warehouse = f"sqlite:///{tmp_path}/new/var/warehouse/warehouse__hubspot.sqlite3"
    else:
        new_database: Callable[[], str] = request.getfixturevalue("postgres_database")
        ledger, warehouse = new_database(), new_database()
        changes |= {"DATABASE_URL": ledger, "WAREHOUSE_URL": warehouse}
    new = Place({**place.environment, **changes}, ledger, warehouse)

    new.manage("restore", str(made["folder"]), "--yes")

    assert new.rows() == place.rows()
    assert new.tasks() == {task_id}


class TestOfFiles:
    """On SQLite, which is enough to see it."""

    @pytest.fixture
    def environment(self, tmp_path: Path) -> Mapping[str, str]:
        nobody = {
            "CACHE_URL": "redis://127.0.0.1:1/1",
            "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
        }
        found = production_environment(tmp_path, **nobody)
        manage("migrate", environment=found)
        return found

    def test_is_its_owners_alone_and_older_ones_go(
        self, environment: Mapping[str, str], tmp_path: Path
    ) -> None:
        for _ in range(3):
            done = manage("backup", str(tmp_path / "b"), "--keep", "2", environment=environment)
            assert done.returncode == 0, done.stderr
        kept = sorted((tmp_path / "b").iterdir())
        assert len(kept) == 2
        assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "b").rglob("*"))

    def test_a_damaged_one_is_refused_before_anything_is_touched(
        self, environment: Mapping[str, str], tmp_path: Path
    ) -> None:
        made = manage("backup", str(tmp_path / "b"), "--json", environment=environment)
        folder = Path(json.loads(made.stdout)["folder"])
        with (folder / "ledger.sqlite3").open("r+b") as file:
            file.seek(5000)
            file.write(b"\x00damage\x00")
        ledger = (tmp_path / "var/ledger.sqlite3").read_bytes()

        done = manage("restore", str(folder), "--yes", environment=environment)

        assert done.returncode == 4
        assert "damaged: ledger.sqlite3" in done.stderr
        assert (tmp_path / "var/ledger.sqlite3").read_bytes() == ledger

    def test_a_folder_that_was_not_finished_is_no_backup(
        self, environment: Mapping[str, str], tmp_path: Path
    ) -> None:
        (tmp_path / "half").mkdir()
        done = manage("restore", str(tmp_path / "half"), "--yes", environment=environment)
        assert (done.returncode, "is no backup" in done.stderr) == (4, True)


def test_no_command_line_shows_a_password() -> None:
    """Nor the stars that stand for it in a message, which would be taken for it."""
    found = databases.database("postgresql://ann:s3cret@db.example.com:5433/dw?sslmode=require")
    (where,) = databases.where(found)
    assert where == "--dbname=postgresql://ann@db.example.com:5433/dw?sslmode=require"
