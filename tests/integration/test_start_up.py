"""What every command loads before it does anything: nothing that only some of them need. And what a
worker loads before it takes a task: all that its sync needs."""

from __future__ import annotations

import pytest

from tests.fresh_process import printed

# Each costs every command some ten or some hundred milliseconds.
HEAVY = {
    "apprise",
    "dlt",
    "ninja",
    "prometheus_client",
    "pyarrow",
    "pydantic",
    "requests",
    "sqlalchemy",
    "zeep",
    "ingestion.api",
    "ingestion.services.automation.engine",
    "ingestion.services.crms",
    "ingestion.services.freshness",
    "ingestion.services.maintenance",
    "ingestion.services.notices.rounds",
    "ingestion.services.notices.troubles",
    "ingestion.services.reporting.charts",
    "ingestion.services.reporting.dashboard",
    "ingestion.services.reporting.metrics",
    "ingestion.views",
}
SETUP = "import django, sys; django.setup()"
# Its parser imports every subcommand: what ``--help``, ``status`` and ``submit`` load.
COMMAND = (
    "from django.core.management import load_command_class;"
    "load_command_class('ingestion', 'manage_worker_pool').create_parser('manage.py', 'x')"
)


def loaded(*statements: str) -> set[str]:
    """The modules of a fresh process that has done this."""
    return set(printed("; ".join((*statements, "print(*sys.modules)"))).split())


@pytest.mark.parametrize("statements", [(SETUP,), (SETUP, COMMAND)], ids=["setup", "command"])
def test_only_what_every_command_needs_is_loaded(statements: tuple[str, ...]) -> None:
    modules = loaded(*statements)
    assert "ingestion.tasks" in modules
    assert modules & HEAVY == set()


def test_a_worker_loads_what_a_sync_needs_before_it_takes_the_task() -> None:
    modules = loaded(
        SETUP,
        "from ingestion.services.worker.execute import prepare",
        "prepare('five9', 'contacts')",
    )
    needed = {"pyarrow", "sqlalchemy.dialects.sqlite", "zeep", "ingestion.sync.five9.source"}
    assert needed | {"ingestion.sync.load.tables.sqlite", "sqlite3"} <= modules
    assert not modules & {"psycopg", "pymysql", "duckdb"}  # of other warehouses


def test_what_no_command_knows_hinders_no_worker() -> None:
    """The task itself fails then, and says why."""
    statements = ("from ingestion.services.worker.execute import prepare", "prepare('nobody', 'x')")
    assert "pyarrow" not in loaded(SETUP, *statements)
