"""Reads a MySQL or MariaDB table as the texts that the server writes, through mysqlclient where it
is installed, else through PyMySQL: neither makes an object of any value, so none loses anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, cast

import pyarrow as pa
from pymysql import converters
from sqlalchemy import Column, String
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import (
    BINARY,
    VARBINARY,
    Date,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    TypeEngine,
)

from ingestion.sync.common.source import ColumnRecords, SourceColumn, TextColumn
from ingestion.sync.genius.mysql_connection import MySqlConnection
from ingestion.sync.genius.tables import MySqlFloat, MySqlTime, ReflectedTable, converted

# Rows of one statement; when a read ends early, the server still sends what is left of them.
STATEMENT_ROWS: Final = 50_000
# The server ends a connection that does not take its rows for so long; a load may have to wait.
PATIENCE: Final = "SET SESSION net_write_timeout = 3600"
SNAPSHOT: Final = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"
UTF_8: Final = frozenset({"utf8", "utf8mb3", "utf8mb4"})
# What both drivers understand in the same way.
OPTIONS: Final = frozenset(
    {"charset", "connect_timeout", "read_timeout", "write_timeout", "unix_socket"}
    | {f"ssl_{name}" for name in ("ca", "cert", "key", "capath", "cipher")}
)

Convert = Callable[[bytes], Any]


def can_read(url: URL, table: ReflectedTable) -> bool:
    """Whether the texts of all columns are understood, and are in UTF-8."""
    return (
        url.get_backend_name() in ("mysql", "mariadb")
        and url.get_driver_name() in ("pymysql", "mysqldb")
        and str(url.query.get("charset", "utf8mb4")) in UTF_8
        and "use_unicode" not in url.query
        and all(_kind(column.type) or _conversion(column.type) for column in table.columns)
    )


def driver_for(url: URL) -> str:
    """mysqlclient where it is installed and the URL says nothing that it does not know."""
    has_client = find_spec("MySQLdb") is not None and url.query.keys() <= OPTIONS
    return "mysqldb" if has_client else "pymysql"


@dataclass(frozen=True)
class TextConnection:
    """One connection and its transaction, which sees one unchanging state of the data."""

    connection: Any
    module: Any
    dialect: Dialect
    on_query: Callable[[], None]

    def pages(self, statement: ClauseElement, *, size: int) -> Iterator[Sequence[Sequence[Any]]]:
        """Rows of bytes, so many at once; the server holds the others back."""
        compiled = cast(SQLCompiler, statement.compile(dialect=self.dialect))
        values: Any = compiled.construct_params()
        if compiled.positiontup is not None:
            values = [values[name] for name in compiled.positiontup]
        self.on_query()
        with self._explained(), self._cursor() as cursor:
            cursor.execute(str(compiled), values)
            while rows := cursor.fetchmany(size):
                yield rows

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        cursor = self.connection.cursor()
        try:
            yield cursor
        finally:
            # On closing the rest of the answer is read, and PyMySQL stumbles over a connection that
            # is gone.
            if self.connection.open:
                cursor.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """The driver's errors as SQLAlchemy's."""
        try:
            yield
        except self.module.Error as problem:
            raise DBAPIError.instance(
                None, None, problem, self.module.Error, dialect=self.dialect
            ) from problem


@contextmanager
def connected(
    url: URL, defaults: dict[str, Any], on_query: Callable[[], None]
) -> Iterator[TextConnection]:
    """``defaults``: of the connection; what the URL says stands above them."""
    driver = driver_for(url)
    module = import_module({"mysqldb": "MySQLdb", "pymysql": "pymysql"}[driver])
    url = url.set(drivername=f"{url.get_backend_name()}+{driver}")
    dialect = cast(Callable[..., DefaultDialect], url.get_dialect())(dbapi=module)
    _, options = dialect.create_connect_args(url)
    cursors = import_module(f"{module.__name__}.cursors")
    default_conversions = import_module(f"{module.__name__}.converters").conversions
    fixed = {
        # Only those that write parameters; without one that reads, values stay bytes.
        "conv": {k: v for k, v in default_conversions.items() if not isinstance(k, int)},
        "use_unicode": False,
        "cursorclass": cursors.SSCursor,
    }
    opened = TextConnection(None, module, dialect, on_query)
    connect = MySqlConnection if driver == "pymysql" else module.connect
    with opened._explained():
        connection = connect(**{"charset": "utf8mb4", **defaults, **options, **fixed})
    with closing(connection):
        opened = TextConnection(connection, module, dialect, on_query)
        with opened._explained(), closing(connection.cursor()) as cursor:
            for statement in (PATIENCE, SNAPSHOT):
                cursor.execute(statement)
        yield opened


def columns_of(
    table: ReflectedTable, rows: Sequence[Sequence[Any]], dialect: Dialect
) -> ColumnRecords:
    """Rows of bytes as records, by column."""
    told = zip(table.columns, zip(*rows, strict=True), strict=True)
    return ColumnRecords(
        {column.name: _column(column, texts, table, dialect) for column, texts in told}, len(rows)
    )


def value_of(column: Column[Any], text: bytes) -> Any:
    """A value as the driver would have given it."""
    kind = _kind(column.type)
    convert = _OF_KIND[kind] if kind else _conversion(column.type)
    return text if text is None or convert is None else convert(text)


def _column(
    column: Column[Any], texts: Sequence[Any], table: ReflectedTable, dialect: Dialect
) -> SourceColumn:
    data_type = table.data_types[column.name]
    kind = _kind(column.type)
    if kind is not None:
        in_table = _OF_KIND[kind]
        if kind in (datetime, date):
            in_table = _dated
        return TextColumn(pa.array(texts, pa.binary()), kind, in_table)
    finish = column.type.result_processor(dialect, None) or (lambda value: value)
    values = [None if text is None else finish(value_of(column, text)) for text in texts]
    return converted(values, data_type)


def _kind(kind: TypeEngine[Any]) -> type | None:
    """What the texts of a column mean, where the server writes them in one way."""
    if getattr(kind, "zerofill", False) or isinstance(kind, mysql.SET):
        return None
    return next((python for sql, python in _KINDS if isinstance(kind, sql)), None)


def _conversion(kind: TypeEngine[Any]) -> Convert | None:
    """What the driver makes of the texts of the other columns."""
    return next((convert for sql, convert in _CONVERSIONS if isinstance(kind, sql)), None)


def _text(text: bytes) -> str:
    return text.decode(errors="backslashreplace")


def _moment(text: bytes) -> Any:
    return converters.convert_datetime(_text(text))


def _dated(text: bytes) -> Any:
    (value,) = converted([converters.convert_datetime(_text(text))], "datetime")
    return value


_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], type], ...]] = (
    (mysql.DOUBLE, float),
    (MySqlFloat, float),
    (Integer, int),
    (Numeric, Decimal),
    (DateTime, datetime),
    (Date, date),
    (Enum, str),
    (String, str),
)
_OF_KIND: Final[dict[type, Convert]] = {
    str: _text,
    int: int,
    float: float,
    Decimal: lambda text: Decimal(text.decode()),
    datetime: _moment,
    date: lambda text: converters.convert_date(_text(text)),
}
_CONVERSIONS: Final[tuple[tuple[type[TypeEngine[Any]], Convert], ...]] = (
    (Integer, int),  # with zeros before it
    (Numeric, lambda text: Decimal(text.decode())),
    (MySqlTime, lambda text: converters.convert_timedelta(_text(text))),
    (mysql.YEAR, int),
    (mysql.BIT, bytes),
    (LargeBinary, bytes),
    (BINARY, bytes),
    (VARBINARY, bytes),
    (mysql.JSON, _text),
    (mysql.SET, _text),
)
