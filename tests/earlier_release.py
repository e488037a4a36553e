"""Loads a warehouse as an earlier release does: run with that release's folder as the first path.

``python earlier_release.py WAREHOUSE_URL PIPELINES_DIR CRM``
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
ODD: dict[str, Any] = {
    "id": 1,
    "name": "00123",
    "updated_at": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    "amount": Decimal("12400.05"),
    "local_time": datetime(2026, 3, 1, 7, 30),  # noqa: DTZ001 - a time without a zone
    "opens": time(8, 15),
    "born": date(2026, 1, 1),
    "is_open": True,
    "ratio": 0.1,
    "big": 2**62,
    "tags": {"b": ["a", {"c": [1, 2.5, None]}], "a": "é"},
    "bin": b"\x00\xff",
    "Lead Source": "first",
    "lead_source": "second",
    "姓名": "Li",
    "n": "a\r\n\t'\"\\N",
    "age": 30,
}
WRONG: dict[str, Any] = {"id": 2, "amount": Decimal("-0.5"), "ratio": "zz", "age": "thirty"}
LEADS = [
    {"id": n, "name": f"Person {n}", "updated_at": NEW_YEAR + timedelta(minutes=n)}
    for n in (1, 2, 3)
]


def main(url: str, pipelines_dir: str, crm: str) -> None:
    from ingestion.sync.common.warehouse import Warehouse
    from tests import fake_crm

    fake_crm.FAKE = replace(fake_crm.FAKE, name=crm)
    from tests.sync_world import World

    world = World(fake_crm.FakeSource(), url, Path(pipelines_dir), Warehouse(url))
    world.source.records = {
        "users": [ODD, WRONG, {"id": 3, "name": "to be gone"}],
        "leads": LEADS,
        "calls": [{"id": 1, "name": "told", "_deleted_at": NEW_YEAR}],
    }
    for model in (fake_crm.USERS, fake_crm.LEADS, fake_crm.CALLS):
        world.run(model)
    world.source.records["users"].pop()
    world.run(fake_crm.USERS)


if __name__ == "__main__":
    main(*sys.argv[1:])
