"""Places and priorities for which the order rule is evaluated, and how SQL evaluates it.

``python -m tests.program tests.contract.order_cases AGING…`` prints what the database of
``DATABASE_URL`` gives, as JSON: for each aging the scores in the order of ``CASES``.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.clock import to_us
from ingestion.pool.order_rule import OrderRule
from ingestion.pool.task import PRIORITY_MAX, PRIORITY_MIN
from ingestion.services.ledger import rows as ledger_rows

NOON_US = to_us(datetime(2026, 1, 1, 12, tzinfo=UTC))
# The last second of the scale's first day, one moment twice, its neighbors, and the far future.
PLACES_US = (
    to_us(datetime(2024, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    to_us(datetime(2025, 1, 1, tzinfo=UTC)),
    NOON_US - 1,
    NOON_US,
    NOON_US,
    NOON_US + 1,
    NOON_US + 999,
    NOON_US + 1000,
    to_us(datetime(2100, 1, 1, tzinfo=UTC)) + 7,
)
PRIORITIES = range(PRIORITY_MIN, PRIORITY_MAX + 1)
CASES = list(itertools.product(PLACES_US, PRIORITIES))
AGINGS = (0, 0.5, 1, 60, 3600, 4_000_000, 4_000_001, 999_999_999)


def fill() -> None:
    """A row of a waiting task for each case, its number as its id."""
    now = timezone.now()
    rows = (
        SyncHistory(
            worker_pool_task_id=f"{number:06}",
            crm_source="hubspot",
            sync_type="contacts",
            status="queued",
            pool_status="queued",
            start_time=now,
            priority=priority,
            queued_us=place_us,
        )
        for number, (place_us, priority) in enumerate(CASES)
    )
    SyncHistory.objects.bulk_create(rows, batch_size=500)


def scores_in_sql(aging_seconds: float) -> list[int]:
    rows = SyncHistory.objects.annotate(score=ledger_rows.score(OrderRule.of(aging_seconds)))
    return list(rows.order_by("worker_pool_task_id").values_list("score", flat=True))


def order_in_sql(aging_seconds: float) -> list[int]:
    """The numbers of the cases as the rows stand in the queue."""
    rows = ledger_rows.ready(OrderRule.of(aging_seconds))
    return [int(task_id) for task_id in rows.values_list("worker_pool_task_id", flat=True)]


def printed() -> Iterator[dict[str, list[int]]]:
    fill()
    for aging in map(float, sys.argv[1:]):
        yield {"scores": scores_in_sql(aging), "order": order_in_sql(aging)}


if __name__ == "__main__":
    json.dump(list(printed()), sys.stdout)
