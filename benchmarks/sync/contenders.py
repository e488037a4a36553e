"""The programs that are compared: each reads one MariaDB table of 39 columns, or a list over HTTP.

``copy`` and ``executemany`` are the shortest programs that move the rows: no types, hash, comparison,
counts, marks or watermark. ``dlt with Arrow`` is its SQL source with Arrow.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import sqlalchemy as sa
from pymysql.cursors import SSCursor

from benchmarks.sync import rest
from benchmarks.sync.product import FIRST, Phase, earlier_release, product

KINDS = {
    "t": ("VARCHAR(60)", 12, "concat('value ', mod(n * 31, 9973), ' of {i}')"),
    "i": ("INT", 10, "mod(n * {i}, 100003)"),
    "d": ("DECIMAL(12,2)", 4, "mod(n * 7, 1000003) / 100"),
    "z": ("DATETIME", 7, "'2026-01-01' + INTERVAL mod(n * 13, 9999999) SECOND"),
    "f": ("DOUBLE", 4, "n / 7e0"),
}
COLUMNS = {f"{kind}{i}": made for kind, (_, count, made) in KINDS.items() for i in range(count)}
TYPES = {
    f"{kind}{i}": declared for kind, (declared, count, _) in KINDS.items() for i in range(count)
}
Program = Callable[[str, str, Path], list[Phase]]


def make_source(url: str, rows: int) -> None:
    declared = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    made = ", ".join(m.format(i=int(name[1:]) + 1) for name, m in COLUMNS.items())
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"CREATE TABLE lead (id INT PRIMARY KEY, {declared}, updated_at DATETIME, KEY (updated_at))"
        )
        connection.exec_driver_sql(
            f"INSERT INTO lead SELECT n, {made}, '2026-01-01' + INTERVAL n SECOND"  # noqa: S608
            f" FROM (SELECT seq AS n FROM seq_1_to_{rows}) AS numbers"
        )
    engine.dispose()


def source_rows(source: str) -> Iterator[tuple[Any, ...]]:
    url = sa.make_url(source)
    connection = pymysql.connect(
        host=url.host or "127.0.0.1",
        port=url.port or 3306,
        user=url.username,
        password=url.password or "",
        database=url.database,
        cursorclass=SSCursor,
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT * FROM lead ORDER BY id")
        yield from cursor


def copy(source: str, warehouse: str, _folder: Path) -> list[Phase]:
    kinds = {"DATETIME": "timestamp", "DOUBLE": "double precision"}
    declared = ", ".join(f"{name} {kinds.get(kind, kind)}" for name, kind in TYPES.items())

    def run() -> None:
        with psycopg.connect(warehouse) as connection:
            connection.execute(
                f"CREATE TABLE lead (id int, {declared}, updated_at timestamp)"  # type: ignore[arg-type]
            )
            with connection.cursor().copy("COPY lead FROM STDIN") as copying:
                for row in source_rows(source):
                    copying.write_row(row)
            connection.execute("ALTER TABLE lead ADD PRIMARY KEY (id)")

    return [(FIRST, run)]


def executemany(source: str, warehouse: str, _folder: Path) -> list[Phase]:
    def plain() -> Iterator[tuple[Any, ...]]:
        for row in source_rows(source):
            yield tuple(v if isinstance(v, int | float | str) else str(v) for v in row)

    def run() -> None:
        with sqlite3.connect(warehouse.removeprefix("sqlite:///")) as connection:
            names = ", ".join(["id INTEGER PRIMARY KEY", *TYPES, "updated_at"])
            connection.execute(f"CREATE TABLE lead ({names})")
            marks = ", ".join("?" * (len(TYPES) + 2))
            connection.executemany(f"INSERT INTO lead VALUES ({marks})", plain())  # noqa: S608

    return [(FIRST, run)]


def through_dlt(backend: Any) -> Program:
    def program(source: str, warehouse: str, folder: Path) -> list[Phase]:
        return _dlt(source, warehouse, folder, backend)

    return program


def _dlt(source: str, warehouse: str, folder: Path, backend: Any) -> list[Phase]:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    # Its doubles become decimals of as many digits as a chunk happens to need.
    os.environ["DATA_WRITER__ARROW_CONCAT_PROMOTE_OPTIONS"] = "permissive"
    import dlt
    from dlt.sources.sql_database import sql_table

    destination: Any
    if warehouse.startswith("sqlite"):
        destination = dlt.destinations.sqlalchemy(warehouse)
    else:
        destination = dlt.destinations.postgres(rest.with_password(warehouse))
    pipeline = dlt.pipeline(
        "bench", pipelines_dir=str(folder / "dlt"), destination=destination, dataset_name="bench"
    )
    table = sql_table(source, table="lead", backend=backend, chunk_size=50_000)
    table.apply_hints(primary_key="id", write_disposition="merge")
    return [(FIRST, lambda: pipeline.run(table))]


def ingestr(source: str, warehouse: str, folder: Path) -> list[Phase]:
    """The program itself, which is found on the path."""
    url = sa.make_url(source)
    plain = url.set(drivername="mysql+pymysql").render_as_string(hide_password=False)
    target = warehouse
    if not warehouse.startswith("sqlite"):
        target = rest.with_password(warehouse)
    words = ["--source-uri", plain, "--source-table", f"{url.database}.lead", "--dest-uri", target]
    words += ["--dest-table", "main.lead" if warehouse.startswith("sqlite") else "public.lead"]
    words += ["--incremental-strategy", "merge", "--primary-key", "id", "--yes"]
    environment = {**os.environ, "DISABLE_TELEMETRY": "true", "INGESTR_DISABLE_TELEMETRY": "true"}

    def run() -> None:
        subprocess.run(
            [os.environ["BENCH_INGESTR"], "ingest", *words],
            check=True,
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )

    return [(FIRST, run)]


COPY, EXECUTEMANY, INGESTR = "COPY generator", "executemany", "ingestr"
ARROW, PLAIN = "dlt with Arrow", "dlt"
PYMYSQL, MYSQLCLIENT = "product, PyMySQL", "product, mysqlclient"
EARLIER, REST = "release 06fed9c", "rest to postgresql"
PRODUCT = "product"
OURS = {PYMYSQL: product, MYSQLCLIENT: product}
OTHERS = {ARROW: through_dlt("pyarrow"), PLAIN: through_dlt("sqlalchemy"), INGESTR: ingestr}
CONTENDERS: dict[str, dict[str, Program]] = {
    "postgresql": {COPY: copy, **OTHERS, **OURS, EARLIER: earlier_release},
    "sqlite": {EXECUTEMANY: executemany, **OTHERS, **OURS},
    REST: {PLAIN: rest.plain_dlt, PRODUCT: rest.ours},
}
