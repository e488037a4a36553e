"""What deploy_check finds of the warehouse's server."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from ingestion.services.deployment import warehouse
from tests.mysql_server import mysql_server

SECRET = "hunter2secret"


def found(settings: Any, url: str) -> list[tuple[str, str]]:
    settings.INGESTION_WAREHOUSE_URL = url
    return [(str(problem.id), problem.msg) for problem in warehouse.warehouse_problems()]


@pytest.mark.parametrize("version", ["8.0.36", "5.7.44-log"])
def test_a_server_of_mysql_is_found(settings: Any, version: str) -> None:
    with mysql_server(version) as place:
        problems = found(settings, f"mysql+pymysql://warehouse:{SECRET}@{place}/warehouse")
    assert problems == [
        (
            "ingestion.E037",
            f"WAREHOUSE_URL names a server of version {version}: of MySQL's family rows are"
            " loaded into MariaDB alone.",
        )
    ]


def test_a_mariadb_is_fine(settings: Any) -> None:
    with mysql_server("10.11.6-MariaDB-0+deb12u1") as place:
        assert found(settings, f"mariadb+pymysql://warehouse:{SECRET}@{place}/warehouse") == []


@pytest.mark.parametrize("kind", ["mariadb+pymysql", "postgresql"])
def test_a_server_that_does_not_answer_is_found_in_bounded_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It takes the call, and is silent."""
    monkeypatch.setattr(warehouse, "ANSWER_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        ((code, message),) = found(settings, f"{kind}://warehouse:{SECRET}@{place}/warehouse")
    assert code == "ingestion.E036"
    assert SECRET not in message


@pytest.mark.parametrize("url", ["sqlite:////nowhere/w.sqlite3", "snowflake://account/name"])
def test_files_and_what_others_refuse_are_left_alone(settings: Any, url: str) -> None:
    assert found(settings, url) == []


@pytest.mark.postgres
def test_a_postgresql_that_answers_is_fine(settings: Any, postgres_database: Any) -> None:
    assert found(settings, postgres_database()) == []
