"""What the options of a run read, write and leave alone, for each kind of CRM: one that is read
over HTTP by a cursor, one in SQL, one by days, one by a rolling window."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.sync.common.source import Watermark
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import session_kind
from ingestion.sync.load.tables import own_tables
from ingestion.sync.load.tables.stored import StoredTable
from tests.crms.world import World

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]

KINDS = pytest.mark.parametrize(
    ("crm", "name"),
    [
        ("hubspot", "contacts"),
        ("genius", "prospects"),
        ("callrail", "calls"),
        ("arrivy", "tasks"),
    ],
)
WHEN_WRITTEN = ("_synced_at", "_run_id")
Content = dict[str, dict[str, Any]]


@KINDS
@pytest.mark.parametrize(
    "options",
    [
        {"force7": True},
        {"start_date": "2026-01-01"},
        {"end_date": "2100-01-01"},
        {"max_records": 3},
        {"dry_run": True},
        {"dry_run": True, "full": True},
    ],
    ids=lambda options: "-".join(options),
)
def test_the_watermark_stays_and_the_next_delta_misses_nothing(
    world: World, name: str, options: dict[str, Any]
) -> None:
    world.run(name)
    before = watermark_of(world, name)
    assert before is not None
    world.tick()

    world.run(name, **options)

    assert watermark_of(world, name) == before
    world.run(name)
    world.run(name, full=True)
    assert_equal(world, name)


@KINDS
def test_a_delta_moves_the_watermark(world: World, name: str) -> None:
    world.run(name)
    before = watermark_of(world, name)
    world.tick()
    world.run(name)
    assert watermark_of(world, name) != before


@KINDS
def test_a_dry_run_writes_nothing(world: World, name: str) -> None:
    world.run(name)
    before = content_of(world, name)
    world.tick()

    result = world.run(name, full=True, dry_run=True)

    counts = {what: result.total(what) for what in ("created", "updated", "deleted")}
    assert counts["created"] > 0
    assert content_of(world, name) == before
    repeated = world.run(name, full=True)
    assert {what: repeated.total(what) for what in counts} == counts


@KINDS
def test_a_dry_run_makes_no_warehouse(world: World, name: str) -> None:
    assert world.run(name, dry_run=True).total("created") > 0
    with closing(Warehouse(world.warehouse_url)) as warehouse:
        assert not warehouse.dataset(world.crm.name).exists


@KINDS
def test_force_rewrites_what_did_not_change(world: World, name: str) -> None:
    world.run(name)
    before = content_of(world, name)

    result = world.run(name, full=True, force=True)

    assert result.total("updated") == result.total("processed") >= len(before)
    assert content_of(world, name) == before
    assert world.run(name, full=True).total("updated") == 0


@KINDS
def test_a_limit_loads_no_more_records(world: World, name: str) -> None:
    result = world.run(name, max_records=7)
    assert (result.total("processed"), len(content_of(world, name))) == (7, 7)
    world.run(name)
    assert_equal(world, name)


@pytest.mark.parametrize(
    ("crm", "name", "column"),
    [
        ("hubspot", "contacts", "lastmodifieddate"),
        ("genius", "jobs", "updated_at"),
        ("callrail", "calls", "start_time"),
        ("arrivy", "tasks", "start_datetime"),
    ],
)
def test_dates_cut_a_window_out(
    world: World, name: str, column: str, empty_warehouse: Callable[[], str]
) -> None:
    """A day may be read more at both ends, where the CRM cuts by days of its own zone. Records
    without a time in the column belong to every window."""
    world.run(name)
    times = {key: _naive(row[column]) for key, row in content_of(world, name).items()}
    first, last = _middle_third(sorted(t for t in times.values() if t))
    world.settings.INGESTION_WAREHOUSE_URL = empty_warehouse()
    world.run(name, start_date=first.isoformat(), end_date=last.isoformat())
    found = {key: _naive(row[column]) for key, row in content_of(world, name).items()}

    assert watermark_of(world, name) is None
    day = timedelta(days=1)
    wanted = {key for key, at in times.items() if at and first <= at <= last}
    assert wanted <= found.keys()
    assert all(at is None or first - day <= at <= last + day for at in found.values())
    assert len(found) < len(times)


@KINDS
def test_seven_days_are_read_again(world: World, name: str) -> None:
    """Rows that somebody spoiled in the warehouse come right, as far back as seven days."""
    world.run(name)
    world.tick()
    world.run(name)
    result = world.run(name, force7=True)
    assert 0 < result.total("processed") <= len(content_of(world, name))
    assert result.total("created") == 0


def watermark_of(world: World, model: str) -> Watermark | None:
    """What the warehouse has committed as the watermark."""
    with closing(Warehouse(world.warehouse_url)) as warehouse:
        dataset = warehouse.dataset(world.crm.name)
        if not dataset.has_table(own_tables.WATERMARKS):
            return None
        kind = session_kind(warehouse)
        with closing(kind(warehouse, world.crm.name, model, is_dry=True)) as session:
            state = own_tables.state(session, model)
            return state.watermark if state else None


def content_of(world: World, model: str) -> Content:
    """The live rows by key, without what tells when they were written."""
    with closing(Warehouse(world.warehouse_url)) as warehouse:
        dataset = warehouse.dataset(world.crm.name)
        table = StoredTable.read(dataset, model).table
        assert table is not None
        live = sa.select(table).where(table.c["_deleted_at"].is_(None))
        with dataset.engine.connect() as connection:
            rows = [dict(row) for row in connection.execute(live).mappings()]
    key = world.crm.model(model).key[0]
    return {str(row[key]): {n: v for n, v in row.items() if n not in WHEN_WRITTEN} for row in rows}


def _naive(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=None) if moment else None


def _middle_third(times: list[datetime]) -> tuple[datetime, datetime]:
    third = len(times) // 3
    return times[third], times[2 * third]


def assert_equal(world: World, model: str) -> None:
    (report,) = world.differences(model)
    assert report.is_equal, report.to_dict()
