"""Tables of MariaDB read as the texts that the server writes: the same rows, columns and hashes as
by the values that the driver makes of them, whichever driver is installed."""

from __future__ import annotations

import ssl
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion.services.runs.verification import Second, verify_model
from ingestion.services.runs.verification_report import ModelReport
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crms
from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.source import (
    ColumnRecords,
    Meter,
    Record,
    SourceContext,
    TextColumn,
    Window,
)
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.genius import server_text
from ingestion.sync.genius import source as genius_source
from ingestion.sync.genius.mysql_connection import MySqlConnection
from ingestion.sync.genius.raw import RawReader
from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.source import Source
from ingestion.sync.genius.tables import MySqlFloat
from ingestion.sync.load.columns.batch import Batch, Batcher
from ingestion.sync.load.columns.column_map import ColumnMap
from ingestion.sync.load.columns.rejects import Rejects
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from ingestion.sync.raw.second import Recorder
from tests.integration.test_genius_databases import NewDatabase, run

ODD = GeniusModel("oddities", table="oddity")


@pytest.fixture(params=["pymysql", "mysqldb"], autouse=True)
def driver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "mysqldb" and find_spec("MySQLdb") is None:
        pytest.skip("mysqlclient is not installed; it is the extra 'mysqlclient' of this project")
    monkeypatch.setattr(server_text, "driver_for", lambda url: request.param)
    return str(request.param)


@pytest.fixture
def oddities(mariadb_database: NewDatabase) -> str:
    """A column of each type, with values of each sort, in rows of one sort each."""
    url = mariadb_database()
    run(
        url,
        "CREATE TABLE oddity (id INT PRIMARY KEY, flag TINYINT(1), bits BIT(8), price DOUBLE,"
        " weight FLOAT, amount DECIMAL(20,4), wide DECIMAL(60,20), code INT(5) UNSIGNED ZEROFILL,"
        " at TIME(3), changed DATETIME, exact DATETIME(6), milli DATETIME(3),"
        " stamped TIMESTAMP NULL, born DATE, made YEAR, size ENUM('s','l'), tags SET('x','y'),"
        " picture BLOB, raw BINARY(4), big BIGINT UNSIGNED, whole BIGINT, note TEXT,"
        " told LONGTEXT, latin VARCHAR(20) CHARACTER SET latin1)",
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO oddity VALUES (1, 2, b'00000101', 0.1234567890123, 3.14159274,"
        " 1234567890123456.7000, 12345678901234567890.00000000000000000001, 42, '14:30:00.250',"
        " '2026-01-12 15:20:11', '2026-01-12 15:20:11.000001', '2026-01-12 15:20:11.250',"
        " '2026-01-12 15:20:11', '2026-01-12', 2026, 's', 'y,x', 'ab', x'00ff',"
        " 18446744073709551615, -9223372036854775808, '', '{\"a\": 1}', 'caf\u00e9')",
        "INSERT INTO oddity (id, price, amount, wide, changed, exact, milli, born, note, big, whole)"
        " VALUES (2, 1e300, -0.5, 0, '1899-12-31 23:59:59', '0001-01-01', '9999-12-31', '0001-01-01',"
        " ' \U0001f600 ', 7, 9223372036854775807)",
        "INSERT INTO oddity (id, at, changed, exact, born) VALUES (3, '25:00:00', 0, 0, 0)",
        "INSERT INTO oddity (id, price, amount) VALUES (4, -1e-320, 100.0000), (5, -0e0, -0.0000)",
        "INSERT INTO oddity (id, changed, born) VALUES (6, '2026-02-31', '2026-02-31')",
        "INSERT INTO oddity (id, note) VALUES (7, 'a\\0b')",
    )
    return url


def source(url: str, meter: Meter | None = None) -> Source:
    context = SourceContext({DATABASE_URL: url, TIME_ZONE: "UTC"}, meter=meter or Meter())
    return Source(context)


def read(url: str) -> list[Record]:
    with closing(source(url)) as opened:
        pages = opened.pages(ODD, Window(), batch_size=None)
        return [record for page in pages for record in page.records]


def batch(url: str, rows: slice = slice(None)) -> Batch:
    """The rows as a load makes them: in one batch, as they come."""
    with closing(source(url)) as opened:
        columns = ColumnMap.of([], most_columns=1_000)
        for name, data_type in opened.columns(ODD).items():
            columns.declare(name, data_type)
        (page,) = opened.pages(ODD, Window(), batch_size=None)
        return Batcher(ODD, columns, Rejects()).batch(page.records[rows])


def plain(made: Batch) -> dict[str, Any]:
    return {name: (array.to_pylist(), made.types[name]) for name, array in made.columns.items()}


def by_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(genius_source, "can_read", lambda url, table: False)


def verified(url: str, folder: Path) -> ModelReport:
    """Loaded into a new warehouse, then compared with it by both readings."""
    crm = replace(crms()["genius"], models=(ODD,))
    context = SourceContext({DATABASE_URL: url, TIME_ZONE: "UTC"})
    with (
        closing(Source(context)) as opened,
        closing(RawReader(context)) as reader,
        closing(Warehouse(f"sqlite:///{folder / 'warehouse.sqlite3'}")) as warehouse,
    ):
        run_model(Run(crm, ODD, opened, SyncOptions(), warehouse, folder), ModelResult("oddities"))
        second = Second(reader, Recorder())
        return verify_model(crm, ODD, opened, warehouse, SilentReporter(), second)


def test_the_second_reading_takes_no_odd_value_for_a_wrong_one(
    oddities: str, tmp_path: Path
) -> None:
    report = verified(oddities, tmp_path)
    assert report.is_equal, report
    assert (report.sent, report.counted) == (7, "7")


def test_digits_that_the_server_leaves_out_are_missed_by_the_second_reading(
    oddities: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MySqlFloat, "column_expression", lambda self, column: column)
    report = verified(oddities, tmp_path)
    assert (report.different, report.wrong_values) == (0, 1)
    (example,) = report.examples
    assert example == "wrong value in 1: weight holds 3.14159, the CRM sent 3.1415927410125732"


def test_records_are_those_that_the_driver_gives(
    oddities: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read(oddities)
    by_values(monkeypatch)
    assert repr(found) == repr(read(oddities))


@pytest.mark.parametrize("row", [slice(n, n + 1) for n in range(7)] + [slice(0, 2), slice(None)])
def test_columns_and_hashes_are_those_of_the_values(
    oddities: str, monkeypatch: pytest.MonkeyPatch, row: slice
) -> None:
    made = batch(oddities, row)
    by_values(monkeypatch)
    of_values = batch(oddities, row)
    assert plain(made) == plain(of_values)
    written = {name: array.to_pylist() for name, array in made.texts.items()}
    assert written == {name: array.to_pylist() for name, array in of_values.texts.items()}


def test_values_known_beforehand(oddities: str) -> None:
    found = plain(batch(oddities, slice(0, 1)))
    assert {name: found[name][0][0] for name in ("amount", "wide", "changed", "born", "code")} == {
        "amount": "1234567890123456.7",
        "wide": "12345678901234567890.00000000000000000001",
        "changed": datetime.fromisoformat("2026-01-12 15:20:11"),
        "born": date(2026, 1, 12),
        "code": 42,
    }
    assert found["latin"][0] == ["café"]
    # A whole number that is too large for its column widens it.
    assert found["big"] == (["18446744073709551615"], "decimal")


def test_fifty_thousand_rows_come_by_one_statement(mariadb_database: NewDatabase) -> None:
    url = mariadb_database()
    run(
        url,
        "CREATE TABLE oddity (id INT PRIMARY KEY, name VARCHAR(20))",
        "INSERT INTO oddity SELECT seq, concat('n', seq) FROM seq_1_to_60001",
    )
    meter = Meter()
    with closing(source(url, meter)) as opened:
        opened.columns(ODD)
        before = meter.requests
        pages = [page.records for page in opened.pages(ODD, Window(), batch_size=None)]
    assert meter.requests - before == 2
    assert {len(records) for records in pages} == {2_000, 1}
    ids = [record["id"] for records in pages for record in records]
    assert ids == list(range(1, 60_002))


def test_a_read_that_ends_early_leaves_nothing_behind(mariadb_database: NewDatabase) -> None:
    url = mariadb_database()
    run(
        url,
        "CREATE TABLE oddity (id INT PRIMARY KEY)",
        "INSERT INTO oddity SELECT seq FROM seq_1_to_9000",
    )
    with closing(source(url)) as opened:
        pages = opened.pages(ODD, Window(), batch_size=10)
        assert len(next(iter(pages)).records) == 10
        pages.close()  # type: ignore[attr-defined]
        again = opened.pages(ODD, Window(until=datetime(2026, 1, 1, tzinfo=UTC)), batch_size=10)
        assert next(iter(again)).records[0] == {"id": 1}


def test_a_url_in_another_alphabet_is_read_by_values(
    mariadb_database: NewDatabase, driver: str
) -> None:
    url = f"{mariadb_database()}?charset=latin1"
    run(url, "CREATE TABLE oddity (id INT PRIMARY KEY, name VARCHAR(9))")
    run(url, "INSERT INTO oddity VALUES (1, 'café')")
    assert read(url) == [{"id": 1, "name": "café"}]


def test_records_by_column_are_a_sequence_of_records() -> None:
    texts = pa.array([b"1.50", None, b"3"], pa.binary())
    records = ColumnRecords(
        {"id": [1, 2, 3], "amount": TextColumn(texts, Decimal, lambda t: Decimal(t.decode()))}, 3
    )
    assert list(records[1:]) == [{"id": 2, "amount": None}, {"id": 3, "amount": Decimal("3")}]
    assert records[-1] == {"id": 3, "amount": Decimal("3")}
    assert (len(records), len(records[:2])) == (3, 2)


def test_the_machines_certificates_are_read_once_for_all_connections(
    mariadb_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = mariadb_database()
    run(url, "CREATE TABLE oddity (id INT PRIMARY KEY)", "INSERT INTO oddity VALUES (1)")
    monkeypatch.setattr(MySqlConnection, "_unverified", None)
    made: list[ssl.SSLContext] = []
    create = ssl.create_default_context

    def counted(*words: Any, **options: Any) -> ssl.SSLContext:
        made.append(create(*words, **options))
        return made[-1]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for _ in range(3):
        assert read(url) == [{"id": 1}]
    assert len(made) == 1
    assert made[0].verify_mode == ssl.CERT_NONE
