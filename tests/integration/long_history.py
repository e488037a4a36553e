"""Fills a PostgreSQL ledger with a short history, then with a long one, and tells what each page costs.

``python -m tests.program tests.integration.long_history ROWS…`` prints one JSON object per number of
rows: by page, and of a report of a month, its queries and the rows and index entries that PostgreSQL read; the bytes that an
export held at most.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.services.automation.report import content_of
from tests.integration.test_long_life import PAGES, a_run
from tests.unit.pool_shell import pool_in_memory

TABLE = SyncHistory._meta.db_table
# What differs from run to run.
FILLED = {
    "worker_pool_task_id": "'task' || n",
    "crm_source": "(ARRAY['hubspot', 'genius', 'five9', 'callrail', 'arrivy'])[mod(n, 5) + 1]",
    "sync_type": "'type' || mod(n, 7)",
    "status": "CASE mod(n, 10) WHEN 8 THEN 'failed' WHEN 9 THEN 'partial' ELSE 'success' END",
    **{moment: f"{moment} - n * interval '45 minutes'" for moment in ("start_time", "end_time")},
}
# A report reads the runs of its period; both histories have as many in a month.
REPORTED = timedelta(days=30)
READ = """SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(oid)), 0)
    FROM pg_class WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace"""


def fill(count: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLE} CASCADE")
    first = a_run(0, timezone.now())
    first.save()
    columns = [f.column for f in SyncHistory._meta.concrete_fields if not f.primary_key]
    names = ", ".join(connection.ops.quote_name(name) for name in columns)
    values = ", ".join(FILLED.get(name, connection.ops.quote_name(name)) for name in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} ({names}) SELECT {values}"
            f" FROM {TABLE}, generate_series(1, %s) AS n",
            [count - 1],
        )
        cursor.execute(f"VACUUM ANALYZE {TABLE}")


def cost(call: Callable[[], Any]) -> dict[str, int]:
    """In a transaction, which PostgreSQL counts for."""
    with transaction.atomic():
        before = _rows_read()
        with CaptureQueriesContext(connection) as queries:
            call()
        return {"queries": len(queries), "rows": _rows_read() - before}


def _rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(READ)
        (found,) = cursor.fetchone()
    return int(found)


def costs(browser: Client) -> dict[str, dict[str, int]]:
    def get(page: str) -> None:
        assert browser.get(page).status_code == 200, page

    for page in PAGES:  # what is read once in a process is not counted
        get(page)
    found = {page: cost(lambda page=page: get(page)) for page in PAGES}
    now = timezone.now()
    return {**found, "report": cost(lambda: content_of(now - REPORTED, now))}


def export_bytes(browser: Client) -> int:
    tracemalloc.start()
    lines = sum(1 for _ in browser.get("/api/history.csv").streaming_content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert lines == SyncHistory.objects.count() + 1
    return most


def main(counts: list[int]) -> None:
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(User.objects.create_superuser("ann"))
    with pool_in_memory():
        for count in counts:
            fill(count)
            told = {"pages": costs(browser), "export_bytes": export_bytes(browser)}
            print(json.dumps(told), flush=True)  # noqa: T201


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
