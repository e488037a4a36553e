"""Genius tables on MariaDB out of the ordinary, loaded by the command into both warehouses.

Each stands for a bug that users of other connectors have reported.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.command_world import CommandWorld, aside, counts_of

pytestmark = pytest.mark.django_db(transaction=True)

ZERO = "0000-00-00 00:00:00"


class Genius(CommandWorld):
    """A database of MariaDB, and a warehouse."""

    def __init__(self, url: str, settings: Any) -> None:
        super().__init__("genius", settings)
        plain = url.replace("mysql+pymysql:", "mysql:")
        self.configure({"GENIUS_DATABASE_URL": plain, "GENIUS_TIME_ZONE": "UTC"})
        self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")

    def change(self, *statements: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'")
            for statement in statements:
                connection.exec_driver_sql(statement)

    def close(self) -> None:
        self._engine.dispose()

    def values(self, model: str, *columns: str) -> dict[Any, tuple[Any, ...]]:
        return {key: tuple(row[c] for c in columns) for key, row in self.rows(model).items()}


@pytest.fixture
def genius(mariadb_database: Any, warehouse_settings: Any) -> Iterator[Genius]:
    made = Genius(mariadb_database(), warehouse_settings)
    yield made
    made.close()


def test_rows_that_are_dated_with_zeros_come_with_every_delta(genius: Genius) -> None:
    """airbyte#65082: old schemas write zeros where a time may not be null."""
    genius.change(
        "CREATE TABLE tag (id INT PRIMARY KEY AUTO_INCREMENT, name VARCHAR(50),"
        f" updated_at DATETIME NOT NULL DEFAULT '{ZERO}')",
        "INSERT INTO tag (name, updated_at) VALUES ('old', '2026-01-01 10:00:00')",
        "INSERT INTO tag (name) VALUES ('never touched')",
    )
    genius.sync("tags")
    first = {1: ("old", "2026-01-01 10:00:00"), 2: ("never touched", None)}
    assert genius.values("tags", "name", "updated_at") == first
    genius.change(
        "INSERT INTO tag (name) VALUES ('new')",
        "INSERT INTO tag (name, updated_at) VALUES ('dated', '2026-01-02 10:00:00')",
    )
    assert counts_of(genius.sync("tags"))["created"] == 2
    later = {3: ("new", None), 4: ("dated", "2026-01-02 10:00:00")}
    assert genius.values("tags", "name", "updated_at") == first | later
    assert counts_of(genius.sync("tags", full=True)) == {"processed": 4}


@pytest.mark.parametrize(
    ("model", "table", "columns", "new"),
    [
        ("teams", "team", "updated_at DATETIME NULL", "NULL"),
        ("teams", "team", "updated_at DATETIME NULL", f"'{ZERO}'"),
        ("prospects", "prospect", "updated_at DATETIME, add_date DATETIME", f"NULL, '{ZERO}'"),
        ("prospects", "prospect", "updated_at DATETIME, add_date DATETIME", "NULL, NULL"),
    ],
)
def test_rows_without_a_date_come_with_every_delta(
    genius: Genius, model: str, table: str, columns: str, new: str
) -> None:
    """dlt-hub/dlt#1935."""
    dated = ", ".join(["'2026-01-01'"] * columns.count("DATETIME"))
    genius.change(
        f"CREATE TABLE {table} (id INT PRIMARY KEY, {columns})",
        f"INSERT INTO {table} VALUES (1, {dated})",
    )
    genius.sync(model)
    genius.change(f"INSERT INTO {table} VALUES (2, {new})")
    assert counts_of(genius.sync(model))["created"] == 1
    assert genius.values(model, "updated_at") == {1: ("2026-01-01 00:00:00",), 2: (None,)}


def test_every_type_of_mariadb_is_kept_or_reported(genius: Genius) -> None:
    genius.change(
        "CREATE TABLE rep (id BIGINT UNSIGNED PRIMARY KEY, t1 TINYINT(1), e ENUM('a','b',''),"
        " b8 BIT(8), j JSON, u BIGINT UNSIGNED, d30 DECIMAL(40,20), d65 DECIMAL(65,0), f FLOAT,"
        " db DOUBLE, y YEAR, s SET('x','y'), tm TIME, ts TIMESTAMP(6) NULL, bl BLOB, g POINT,"
        " l1 VARCHAR(20) CHARACTER SET latin1, mb VARCHAR(20), ch CHAR(5), updated_at DATETIME)",
        "INSERT INTO rep VALUES (1, 2, 'b', 200, '{\"a\":1}', 18446744073709551615,"
        f" 1234567890.12345678901234567890, {'9' * 44}, 3.14159274, 0.1, 2026, 'y,x', '25:00:00',"
        " '2026-11-01 01:30:00.000001', x'00ff', POINT(1,2), 'café', '😀', '007', '2026-01-01')",
        "INSERT INTO rep VALUES (18446744073709551615, 0, '', 0, '[]', 0, 0.00000000001, 0,"
        " 16777216, 1e-320, 1901, '', '-01:00:00', NULL, '', NULL, '', '', '',"
        " '2024-02-31 00:00:00')",
    )
    genius.sync("reps")
    first, last = genius.rows("reps").values()
    if first["id"] != 1:
        first, last = last, first
    expected = {
        "id": Decimal(1),
        "t1": 2,
        "e": "b",
        "b8": 200,
        "u": Decimal("18446744073709551615"),
        "d30": Decimal("1234567890.1234567890123456789"),
        "d65": Decimal("9" * 44),
        "f": Decimal("3.1415927410125732"),
        "db": Decimal("0.1"),
        "y": 2026,
        "s": "x,y",
        "tm": None,
        "ts": "2026-11-01 01:30:00.000001",
        "bl": b"\x00\xff",
        "g": "POINT(1 2)",
        "l1": "café",
        "mb": "😀",
        "ch": "007",
        "updated_at": "2026-01-01 00:00:00",
    }
    assert {name: first[name] for name in expected} == expected
    assert aside(first, "tm") is not None
    assert last["id"] == Decimal("18446744073709551615")
    assert (last["d30"], last["db"]) == (Decimal("1e-11"), Decimal("1e-320"))
    assert (last["e"], last["bl"], last["g"], last["y"]) == ("", b"", None, 1901)
    assert (last["tm"], last["updated_at"]) == (None, None)
    assert aside(last, "updated_at") == "2024-02-31 00:00:00"
    assert counts_of(genius.sync("reps", full=True)) == {"processed": 2}


def test_keys_that_repeat_are_reported(genius: Genius) -> None:
    rows = ", ".join(f"({n // 2}, {n}, '2026-01-01')" for n in range(6))
    genius.change(
        "CREATE TABLE told (id INT, k INT, updated_at DATETIME)",
        f"INSERT INTO told VALUES {rows}",
        "CREATE VIEW workflow AS SELECT * FROM told",
    )
    result = genius.sync("workflows")
    assert result.status == "partial"
    assert "keys repeat in the source with different contents, e.g. 0, 1, 2" in str(result.warning)
    assert len(genius.rows("workflows")) == 3


def test_a_row_without_its_key_is_reported_and_the_others_load(genius: Genius) -> None:
    genius.change(
        "CREATE TABLE referrer (id INT NULL, name VARCHAR(9), updated_at DATETIME, add_date DATE)",
        "INSERT INTO referrer VALUES (NULL, 'n', '2026-01-01', NULL), (2, 'ok', '2026-01-01', NULL)",
    )
    result = genius.sync("referrers")
    assert (result.status, counts_of(result)["failed"]) == ("partial", 1)
    assert genius.values("referrers", "name") == {2: ("ok",)}


def test_rows_of_one_moment_that_fill_pages_all_come(genius: Genius) -> None:
    rows = ", ".join(f"({n}, '2026-01-01 00:00:00')" for n in range(1, 8))
    genius.change(
        "CREATE TABLE task (id INT PRIMARY KEY, updated_at DATETIME)",
        f"INSERT INTO task VALUES {rows}",
    )
    genius.sync("tasks", batch_size=2)
    genius.change("UPDATE task SET updated_at = '2026-01-05'")
    assert counts_of(genius.sync("tasks", batch_size=2))["updated"] == 7
    assert genius.values("tasks", "updated_at") == dict.fromkeys(
        range(1, 8), ("2026-01-05 00:00:00",)
    )


def test_a_row_from_the_future_hides_no_later_change(genius: Genius) -> None:
    genius.change(
        "CREATE TABLE task (id INT PRIMARY KEY, updated_at DATETIME)",
        "INSERT INTO task VALUES (1, '2026-01-01'), (2, '2026-01-01'), (3, '2026-01-01')",
    )
    genius.sync("tasks")
    genius.change(
        "UPDATE task SET updated_at = '2099-01-01' WHERE id = 1",
        "UPDATE task SET updated_at = '2026-02-01' WHERE id = 2",
    )
    genius.sync("tasks")
    genius.change("UPDATE task SET updated_at = '2026-02-02' WHERE id = 3")
    genius.sync("tasks")
    assert genius.values("tasks", "updated_at") == {
        1: ("2099-01-01 00:00:00",),
        2: ("2026-02-01 00:00:00",),
        3: ("2026-02-02 00:00:00",),
    }


def test_texts_as_keys_are_paged_in_the_order_of_their_collation(genius: Genius) -> None:
    keys = ["a", "B", "c", "007", "7", "Z", "é2", "f", "ß", "_x", "10", "9"]
    rows = ", ".join(f"('{key}', {n}, '2026-01-01', NULL)" for n, key in enumerate(keys))
    genius.change(
        "CREATE TABLE marketsharp_contacts (id VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY,"
        " n INT, updated_at DATETIME, created_at DATETIME)",
        f"INSERT INTO marketsharp_contacts VALUES {rows}",
    )
    genius.sync("marketsharp_contacts", full=True, batch_size=2)
    assert genius.values("marketsharp_contacts", "n") == {k: (n,) for n, k in enumerate(keys)}
