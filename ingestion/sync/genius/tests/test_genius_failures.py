"""What a database error means, and that it never tells a password."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import OperationalError, ProgrammingError

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    PermanentError,
    SyncError,
    TransientError,
)
from ingestion.sync.common.source import SourceContext, Window
from ingestion.sync.genius.database import database_url
from ingestion.sync.genius.failures import explain
from ingestion.sync.genius.settings import CRM, DATABASE_URL, TIME_ZONE
from ingestion.sync.genius.source import Source
from ingestion.sync.genius.tests.conftest import VISITS, Genius

PASSWORD = "p@ss:w/rd"
MYSQL = make_url("mysql+pymysql://reader@db.example/genius").set(password=PASSWORD)
POSTGRES = MYSQL.set(drivername="postgresql+psycopg")
LEADS = CRM.model("leads")

MYSQL_ERRORS: list[tuple[int, str, type[SyncError], str]] = [
    (1045, "Access denied for user 'reader'@'x' (using password: YES)", CredentialsError, "1045"),
    (1044, "Access denied for user to database", CredentialsError, DATABASE_URL),
    (1049, "Unknown database 'genius'", CredentialsError, DATABASE_URL),
    (1142, "SELECT command denied", NotAllowed, "grant it SELECT"),
    (1146, "Table 'genius.lead' doesn't exist", PermanentError, "no table lead"),
    (1054, "Unknown column 'x' in 'field list'", PermanentError, "Unknown column"),
    (1205, "Lock wait timeout exceeded", TransientError, "Lock wait"),
    (1213, "Deadlock found", TransientError, "Deadlock"),
    (1040, "Too many connections", TransientError, "Too many"),
    (2003, "Can't connect to MySQL server on 'db.example'", TransientError, "Can't connect"),
    (2006, "MySQL server has gone away", TransientError, "gone away"),
    (2013, "Lost connection to MySQL server during query", TransientError, "Lost connection"),
]


@pytest.mark.parametrize(("number", "words", "kind", "said"), MYSQL_ERRORS, ids=lambda v: str(v))
def test_mysql_errors(number: int, words: str, kind: type[SyncError], said: str) -> None:
    driver_error = pymysql.err.OperationalError(number, words, sqlstate="42000")
    raised = OperationalError("SELECT 1", {}, driver_error)
    found = explain(raised, url=MYSQL, table="lead")
    assert type(found) is kind
    assert said in str(found)


POSTGRES_ERRORS: list[tuple[psycopg.Error, type[SyncError]]] = [
    (psycopg.errors.UndefinedTable("no"), PermanentError),
    (psycopg.errors.UndefinedColumn("no"), PermanentError),
    (psycopg.errors.InsufficientPrivilege("no"), NotAllowed),
    (psycopg.errors.InvalidCatalogName("no"), CredentialsError),
    (psycopg.errors.DeadlockDetected("no"), TransientError),
    (psycopg.errors.SerializationFailure("no"), TransientError),
    (psycopg.errors.AdminShutdown("no"), TransientError),
    (psycopg.errors.TooManyConnections("no"), TransientError),
    (psycopg.OperationalError("connection failed: Connection refused"), TransientError),
    (
        psycopg.OperationalError('FATAL:  password authentication failed for user "reader"'),
        CredentialsError,
    ),
    (psycopg.OperationalError('FATAL:  database "genius" does not exist'), CredentialsError),
]


@pytest.mark.parametrize(("raised", "kind"), POSTGRES_ERRORS, ids=lambda v: repr(v)[:60])
def test_postgresql_errors(raised: psycopg.Error, kind: type[SyncError]) -> None:
    found = explain(ProgrammingError("SELECT 1", {}, raised), url=POSTGRES, table="lead")
    assert type(found) is kind


@pytest.mark.parametrize("quoted", [PASSWORD, "p%40ss%3Aw%2Frd"])
def test_a_password_that_the_driver_quotes_is_blotted_out(quoted: str) -> None:
    words = f"cannot use mysql://reader:{quoted}@db.example"
    raised = OperationalError("SELECT 1", {}, pymysql.err.OperationalError(2003, words))
    assert str(explain(raised, url=MYSQL, table="lead")) == (
        "Genius: table lead cannot be read now: 2003 cannot use mysql://reader:***@db.example;"
        " try again later."
    )


def test_a_missing_table_is_named_with_the_cure(genius: Genius) -> None:
    with pytest.raises(PermanentError, match=r"no table lead: .*genius/settings\.py"):
        genius.read(LEADS)


def test_a_table_that_is_dropped_meanwhile_is_named(genius: Genius) -> None:
    source = genius.source()
    source.columns(VISITS)
    genius.run("DROP TABLE visit")
    with pytest.raises(PermanentError, match="no table visit"):
        list(source.pages(VISITS, Window(), batch_size=None))


def test_a_locked_database_is_worth_another_try(genius: Genius) -> None:
    settings = {DATABASE_URL: f"{genius.url}?timeout=0", TIME_ZONE: "UTC"}
    source = Source(SourceContext(settings))
    with genius.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN EXCLUSIVE")
        with pytest.raises(TransientError, match="locked"):
            source.columns(VISITS)
        writer.rollback()
    assert source.columns(VISITS)


def test_nobody_listens_there() -> None:
    settings = {DATABASE_URL: f"mysql://reader:{PASSWORD}@127.0.0.1:1/x", TIME_ZONE: "UTC"}
    settings[DATABASE_URL] = MYSQL.set(host="127.0.0.1", port=1).render_as_string(False)
    with pytest.raises(TransientError, match="Can't connect") as refused:
        Source(SourceContext(settings)).columns(LEADS)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("text", ["", "s3cret", "mysql://user:s3cret@host:port/x"])
def test_what_is_no_url_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(CredentialsError, match=r"looks like mysql\+pymysql://") as refused:
        database_url(text)
    assert "s3cret" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    missing = tmp_path / "no.sqlite3"
    with pytest.raises(PermanentError, match="not there"):
        database_url(f"sqlite:///{missing}")
    assert not missing.exists()


@pytest.mark.parametrize(
    ("given", "used"),
    [("mysql", "mysql+pymysql"), ("postgres", "postgresql+psycopg"), ("mssql", "mssql")],
)
def test_a_url_without_a_driver_gets_the_one_that_is_installed(given: str, used: str) -> None:
    assert database_url(f"{given}://u:p@h/x").drivername == used


@pytest.mark.parametrize("kind", ["mysql+mysqldb", "nosuchdb"])
def test_a_driver_that_is_not_installed_is_named(kind: str) -> None:
    settings = {DATABASE_URL: f"{kind}://u:s3cret@h/x", TIME_ZONE: "UTC"}
    with pytest.raises(PermanentError, match="not installed") as refused:
        Source(SourceContext(settings))
    assert kind in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_wrong_time_zone_is_named(genius: Genius) -> None:
    with pytest.raises(PermanentError, match=TIME_ZONE):
        genius.source(zone="Mars/Olympus")
