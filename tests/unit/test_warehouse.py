"""What WAREHOUSE_URL may be, and what is said when it cannot be used."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from ingestion import warehouse_urls
from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    SyncCancelled,
    TransientError,
)
from ingestion.sync.common.failures import cause_of
from ingestion.sync.common.warehouse import Warehouse
from ingestion.warehouse_urls import KINDS, SUPPORTED, Kind, folder_of, problem_of


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "is not a database URL"),
        ("nodb://host/name", "names 'nodb', into which nothing is loaded"),
        ("oracle://host/name", "names 'oracle', into which nothing is loaded"),
        ("bigquery://project/name", "names 'bigquery', into which nothing is loaded"),
        ("snowflake://account/name", "names 'snowflake', into which nothing is loaded"),
        ("redshift+psycopg2://host/name", "names 'redshift', into which nothing is loaded"),
        ("gs://bucket/folder", "names 'gs', into which nothing is loaded"),
        ("file+csv:///folder", "driver 'csv', which Delta files is not loaded by"),
        ("postgresql+asyncpg://host/name", "driver 'asyncpg', which PostgreSQL is not loaded by"),
        ("postgresql://user@host:port/name", "is not a database URL"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_in_a_sentence(url: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told) as refused:
        Warehouse(url)
    assert (
        "in memory" in told
        or SUPPORTED in str(refused.value)
        or "after the plus" in str(refused.value)
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:///", "names no folder"),
        ("file://host/folder", "names a host"),
        ("s3:///prefix", "names no bucket"),
        ("s3://bucket/prefix?region=x", "more than a place"),
        ("s3://an-id:a-secret@bucket/prefix", "has credentials in it"),
    ],
)
def test_a_place_of_delta_files_is_a_place_alone(url: str, told: str) -> None:
    with pytest.raises(PermanentError, match=told) as refused:
        Warehouse(url)
    assert "a-secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:///data/the%20warehouse", "/data/the warehouse"),
        ("sqlite:///var/w.sqlite3", "var"),
        ("duckdb:////data/w.duckdb", "/data"),
        ("s3://bucket/prefix", None),
        ("postgresql://user@host/name", None),
    ],
)
def test_the_folder_of_a_warehouse_of_files_is_known(url: str, folder: str | None) -> None:
    assert folder_of(url) == (folder and Path(folder))


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: str(kind.title))
def test_what_is_said_to_be_supported_is_not_refused(kind: Kind) -> None:
    assert problem_of(kind.form) is None
    assert kind.form in SUPPORTED


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse_urls, "find_spec", lambda name: None)
    said = "The driver of WAREHOUSE_URL is not installed: MySQLdb; write mariadb+pymysql://"
    assert str(problem_of("mysql://host/name")).startswith(said)


@pytest.mark.parametrize(
    ("url", "schema"),
    [
        ("postgres://user:word@host/name", "hubspot"),
        ("postgresql://user@host:5433/name?sslmode=require", "hubspot"),
        ("postgresql+psycopg2://user@/name?host=/var/run/postgresql", "hubspot"),
    ],
)
def test_a_server_keeps_a_dataset_in_a_schema(url: str, schema: str) -> None:
    warehouse = Warehouse(url)
    assert warehouse.dataset("hubspot").schema == schema
    assert "word" not in repr(warehouse)


def test_sqlite_keeps_a_dataset_in_a_file_of_its_own(tmp_path: Path) -> None:
    warehouse = Warehouse(f"sqlite:///{tmp_path / 'new' / 'w.sqlite3'}")
    dataset = warehouse.dataset("hubspot")
    assert str(dataset.engine.url.database) == str(tmp_path / "new" / "w__hubspot.sqlite3")
    assert not dataset.exists
    assert not (tmp_path / "new").exists()


def wrapped(error: BaseException) -> BaseException:
    """An error inside of another one."""
    try:
        try:
            raise error
        except BaseException as inner:
            raise RuntimeError("a step failed") from inner
    except RuntimeError as outer:
        return outer


def operational(message: str) -> sa.exc.OperationalError:
    return sa.exc.OperationalError("SELECT 'a secret'", {}, psycopg.OperationalError(message))


@pytest.mark.parametrize(
    "error",
    [TransientError("later"), SyncCancelled("stop"), KeyboardInterrupt(), SystemExit(-241)],
    ids=lambda error: type(error).__name__,
)
def test_what_a_source_or_a_stop_raises_comes_out_as_itself(error: BaseException) -> None:
    assert cause_of(wrapped(error)) is error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (operational("server closed the connection unexpectedly"), TransientError),
        (operational("database is locked"), TransientError),
        (operational('FATAL: password authentication failed for user "x"'), CredentialsError),
        (ConnectionRefusedError("refused"), TransientError),
        (ZeroDivisionError("division by zero"), PermanentError),
    ],
)
def test_other_errors_are_classed(error: Exception, expected: type[Exception]) -> None:
    cause = cause_of(wrapped(error))
    assert type(cause) is expected
    assert "a secret" not in str(cause)
    assert "\n" not in str(cause)
