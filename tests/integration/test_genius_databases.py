"""Genius' source on real database servers: types, snapshots and errors as these give them."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from ingestion.sync.common.errors import CredentialsError, PermanentError, TransientError
from ingestion.sync.common.source import Model, Record, SourceContext, Window
from ingestion.sync.genius.settings import CRM, DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.source import Source
from sandbox.base import SandboxConf
from sandbox.crms.genius import GeniusSandbox

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEFORE_TICK = datetime.fromisoformat("2026-03-01 11:00:00")
NewDatabase = Callable[[], str]


@pytest.fixture(params=["mariadb", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a new database on one of the servers."""
    fixture = {"mariadb": "mariadb_database", "postgresql": "postgres_database"}[request.param]
    new_database: NewDatabase = request.getfixturevalue(fixture)
    return new_database()


def source(url: str, **changed: Any) -> Source:
    return Source(SourceContext({DATABASE_URL: url, TIME_ZONE: "UTC"}, **changed))


def sandbox(url: str, folder: Path) -> GeniusSandbox:
    written = sa.make_url(url)
    if written.get_backend_name() == "postgresql":
        written = written.set(drivername="postgresql+psycopg")
    return GeniusSandbox(
        SandboxConf(folder, rows=30), url=written.render_as_string(hide_password=False)
    )


def run(url: str, *statements: str) -> None:
    written = sa.make_url(url)
    if written.get_backend_name() == "postgresql":
        written = written.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(written)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def read(url: str, model: Model, window: Window | None = None, *, size: int = 9) -> list[Record]:
    with closing(source(url)) as opened:
        pages = opened.pages(model, window or Window(), batch_size=size)
        return [record for page in pages for record in page.records]


def key_of(record: Record, model: Model) -> tuple[Any, ...]:
    return tuple(record[name] for name in model.key)


def test_every_server_tells_the_same(database: str, tmp_path: Path) -> None:
    """Of the same data; a boolean is 0 or 1 on MariaDB, and JSON a text."""
    local = f"sqlite:///{tmp_path / 'genius.sqlite3'}"
    for url in (database, local):
        sandbox(url, tmp_path).tick(AT)
    for model in CRM.models:
        expected = [plain(record) for record in read(local, model)]
        assert expected, model.name
        assert [plain(record) for record in read(database, model)] == expected, model.name


def test_a_delta_read_has_what_a_tick_changed(database: str, tmp_path: Path) -> None:
    genius = sandbox(database, tmp_path)
    tracked = [model for model in CRM.models if model.cursor]
    before = {model.name: read(database, model) for model in tracked}
    genius.tick(AT)
    for model in tracked:
        now = read(database, model)
        changed = [row for row in now if row not in before[model.name]]
        # Nothing tells whether these have changed.
        undated = [row for row in now if row[str(model.cursor)] is None and row not in changed]
        delta = read(database, model, Window(since=BEFORE_TICK), size=2)
        assert sorted(keys(delta, model)) == sorted(keys(changed + undated, model)), model.name


def keys(records: list[Record], model: Model) -> list[tuple[Any, ...]]:
    return [tuple(record[name] for name in model.key) for record in records]


def plain(record: Record) -> Record:
    """Values that mean the same, the same."""
    as_text = {name: json.dumps(v) for name, v in record.items() if isinstance(v, dict)}
    as_number = {name: int(v) for name, v in record.items() if isinstance(v, bool)}
    return {**record, **as_text, **as_number}


def test_rows_that_come_while_pages_are_read_wait(database: str, tmp_path: Path) -> None:
    genius = sandbox(database, tmp_path)
    users = CRM.model("users")
    before = read(database, users)
    with closing(source(database)) as opened:
        pages = opened.pages(users, Window(), batch_size=1)
        records = list(next(pages).records)
        genius.tick(AT)
        records += [record for page in pages for record in page.records]
    assert records == before
    assert read(database, users) != before


# --- what only one server has -------------------------------------------------------------------

ODD = GeniusModel("oddities", table="oddity")


def test_mariadb_values_that_are_out_of_the_ordinary(mariadb_database: NewDatabase) -> None:
    url = mariadb_database()
    run(
        url,
        "CREATE TABLE oddity (id INT PRIMARY KEY, flag TINYINT(1), bits BIT(8), price DOUBLE,"
        " amount DECIMAL(20,4), at TIME(3), changed DATETIME, born DATE, made YEAR,"
        " size ENUM('s','l'), tags SET('x','y'), picture BLOB, big BIGINT UNSIGNED)",
        "SET SESSION sql_mode = ''",
        "INSERT INTO oddity VALUES (1, 2, b'00000101', 0.1234567890123, 1234567890123456.7891,"
        " '14:30:00.250', '2026-01-12 15:20:11', '2026-01-12', 2026, 's', 'y,x', 'ab',"
        " 18446744073709551615)",
        "INSERT INTO oddity (id, at, changed, born) VALUES (2, '25:00:00', 0, 0)",
    )
    ordinary, odd = read(url, ODD)
    assert ordinary == {
        "id": 1,
        "flag": 2,
        "bits": 5,
        "price": 0.1234567890123,
        "amount": Decimal("1234567890123456.7891"),
        "at": time(14, 30, 0, 250_000),
        "changed": datetime.fromisoformat("2026-01-12 15:20:11"),
        "born": date(2026, 1, 12),
        "made": 2026,
        "size": "s",
        "tags": "x,y",
        "picture": b"ab",
        "big": 18446744073709551615,
    }
    assert (odd["at"], odd["changed"], odd["born"]) == ("1 day, 1:00:00", None, None)


def test_postgresql_values_that_are_out_of_the_ordinary(postgres_database: NewDatabase) -> None:
    url = postgres_database()
    run(
        url,
        "CREATE TABLE oddity (id INT PRIMARY KEY, flag BOOLEAN, numbers INT[], facts JSONB,"
        " changed TIMESTAMPTZ, key UUID, address INET, wait INTERVAL, picture BYTEA)",
        "INSERT INTO oddity VALUES (1, true, '{1,2}', '{\"a\": [1]}', '2026-01-12 15:20:11+02',"
        " '00000000-0000-0000-0000-000000000001', '10.0.0.1', '2 days', 'ab')",
    )
    (record,) = read(url, ODD)
    assert record == {
        "id": 1,
        "flag": True,
        "numbers": [1, 2],
        "facts": {"a": [1]},
        "changed": datetime(2026, 1, 12, 13, 20, 11, tzinfo=UTC),
        "key": "00000000-0000-0000-0000-000000000001",
        "address": "10.0.0.1",
        "wait": "2 days, 0:00:00",
        "picture": b"ab",
    }


def test_a_cursor_with_a_zone_is_compared_by_its_moment(postgres_database: NewDatabase) -> None:
    url = postgres_database()
    run(
        url,
        "CREATE TABLE visit (id INT PRIMARY KEY, updated_at TIMESTAMPTZ)",
        "INSERT INTO visit VALUES (1, '2026-03-01 11:59:59Z'), (2, '2026-03-01 12:00:00Z')",
    )
    model = GeniusModel("visits", table="visit", cursor="updated_at", incremental="cursor")
    found = read(url, model, Window(since=datetime(2026, 3, 1, 12, tzinfo=UTC)))
    assert [record["id"] for record in found] == [2]


def test_a_missing_table_is_named(database: str) -> None:
    with pytest.raises(PermanentError, match="no table lead:"), closing(source(database)) as opened:
        opened.columns(CRM.model("leads"))


def test_an_unknown_database_is_the_settings_fault(database: str) -> None:
    url = sa.make_url(database).set(database="nosuch").render_as_string(hide_password=False)
    with pytest.raises(CredentialsError, match=DATABASE_URL), closing(source(url)) as opened:
        opened.columns(CRM.model("leads"))


def test_a_wrong_password_is_named_without_being_told(mariadb_database: NewDatabase) -> None:
    url = sa.make_url(mariadb_database()).set(username="nobody_here", password="s3cret-word")
    text = url.render_as_string(hide_password=False)
    with pytest.raises(CredentialsError, match="1045") as refused, closing(source(text)) as opened:
        opened.columns(CRM.model("leads"))
    assert "s3cret-word" not in str(refused.value)


def test_a_connection_that_is_cut_is_worth_another_try(mariadb_database: NewDatabase) -> None:
    url = mariadb_database()
    run(  # more than stands in buffers on its way
        url,
        "CREATE TABLE tag (id INT PRIMARY KEY, name TEXT)",
        "INSERT INTO tag SELECT seq, repeat('x', 2000) FROM seq_1_to_20000",
    )
    with closing(source(url)) as opened:
        pages = opened.pages(GeniusModel("tags", table="tag"), Window(), batch_size=1)
        next(pages)
        _cut_connections_to(sa.make_url(url))
        with pytest.raises(TransientError, match="tag"):
            list(pages)


def _cut_connections_to(url: sa.URL) -> None:
    link = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=url.password or ""
    )
    with closing(link), link.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s", (url.database,)
        )
        for (number,) in cursor.fetchall():
            cursor.execute(f"KILL {number}")


def test_the_source_cannot_write(postgres_database: NewDatabase) -> None:
    url = postgres_database()
    run(url, "CREATE TABLE visit (id INT PRIMARY KEY)")
    opened = source(url)
    with pytest.raises(sa.exc.InternalError, match="read-only"), opened._engine.connect() as link:
        link.exec_driver_sql("INSERT INTO visit VALUES (1)")
    opened.close()


def test_mariadb_rows_that_are_dated_with_zeros_are_always_read(
    mariadb_database: NewDatabase,
) -> None:
    """Old schemas write them where a time may not be null; no cursor ever reaches them."""
    url = mariadb_database()
    zero = "0000-00-00 00:00:00"
    run(
        url,
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        f"CREATE TABLE tag (id INT PRIMARY KEY, updated_at DATETIME NOT NULL DEFAULT '{zero}',"
        f" add_date DATETIME NOT NULL DEFAULT '{zero}')",
        "INSERT INTO tag (id, updated_at) VALUES (1, '2026-01-01'), (2, '2026-03-01 12:00:00')",
        f"INSERT INTO tag (id, updated_at) VALUES (3, '{zero}')",
        "INSERT INTO tag (id, add_date) VALUES (4, '2026-03-01 12:00:00'), (5, '2026-01-01')",
    )
    model = GeniusModel(
        "tags", table="tag", cursor="updated_at", incremental="cursor", added_column="add_date"
    )
    found = read(url, model, Window(since=datetime(2026, 3, 1, tzinfo=UTC)))
    assert sorted(row["id"] for row in found) == [2, 3, 4, 5]
    assert {row["id"]: row["updated_at"] for row in found}[3] is None


def test_mariadb_floats_and_points_come_whole(mariadb_database: NewDatabase) -> None:
    url = mariadb_database()
    run(
        url,
        "CREATE TABLE tag (id INT PRIMARY KEY, f FLOAT, g POINT)",
        "INSERT INTO tag VALUES (1, 3.14159274, POINT(1, -2.5)), (2, 16777217, NULL)",
    )
    first, second = read(url, GeniusModel("tags", table="tag"))
    assert (first["f"], first["g"]) == (3.1415927410125732, "POINT(1 -2.5)")
    assert (second["f"], second["g"]) == (16777216.0, None)


def test_sums_of_keys_tell_which_range_has_changed(database: str) -> None:
    run(
        database,
        "CREATE TABLE tag (id BIGINT PRIMARY KEY)",
        "INSERT INTO tag VALUES (-12), (-3), (3), (9), (10), (25)",
    )
    model = GeniusModel("tags", table="tag")
    with closing(source(database)) as opened:
        found = opened.key_ranges(model, 10)
        assert found is not None
        assert sorted((r.number, r.count, r.total, r.squares) for r in found) == [
            (-1, 1, -2, 4),
            (0, 3, 9, 99),
            (1, 1, 0, 0),
            (2, 1, 5, 25),
        ]
        by_range = {
            number: [row["id"] for rows in opened.keys_in(model, number, 10) for row in rows]
            for number in (-1, 0, 1, 2, 7)
        }
    assert by_range == {-1: [-12], 0: [-3, 3, 9], 1: [10], 2: [25], 7: []}


def test_keys_that_are_no_whole_numbers_are_not_summed(database: str) -> None:
    run(database, "CREATE TABLE tag (id VARCHAR(20) PRIMARY KEY)")
    with closing(source(database)) as opened:
        assert opened.key_ranges(GeniusModel("tags", table="tag"), 10) is None
