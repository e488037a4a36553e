"""What a run reads and lands, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from dlt.common.configuration.utils import get_resolved_traces

from ingestion.sync.common.source import Model, Window
from ingestion.sync.load.columns import steps
from ingestion.sync.load.tables.sqlite import SqliteSession
from tests.fake_crm import (
    CALLS,
    LEADS,
    NEW_YEAR,
    USERS,
    people,
    person,
)
from tests.sync_world import World, counts


def test_the_first_run_lands_every_record(world: World) -> None:
    world.source.records["leads"] = people(250)
    assert counts(world.run(LEADS)) == (250, 250, 0, 0)
    assert world.ids(LEADS) == list(range(1, 251))


def test_a_run_without_news_changes_nothing(world: World) -> None:
    world.source.records["leads"] = people(5)
    world.run(LEADS)
    before = world.rows(LEADS)
    result = world.run(LEADS)
    assert counts(result)[1:] == (0, 0, 0)
    assert world.rows(LEADS) == before


def test_a_delta_run_reads_from_the_watermark_less_the_overlap(world: World) -> None:
    world.source.records["leads"] = people(5)
    assert world.run(LEADS).watermark == "2026-01-01T00:05:00+00:00"
    world.source.records["leads"][0] = person(
        1, name="New", updated_at=NEW_YEAR + timedelta(days=1)
    )
    world.source.records["leads"].append(person(6))
    # The overlap reads record 5 and 4 again; they did not change.
    assert counts(world.run(LEADS)) == (4, 1, 1, 0)
    assert world.source.windows[-1] == Window(since=NEW_YEAR + timedelta(minutes=4))
    assert {row["id"]: row["name"] for row in world.rows(LEADS)}[1] == "New"


# PostgreSQL keeps figures of its own, and reads so small a table anyway.
@pytest.mark.parametrize("world", ["sqlite"], indirect=True)
def test_a_few_changes_are_looked_up_without_reading_the_whole_table(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[str] = []
    execute = SqliteSession.execute

    def explain(session: SqliteSession, statement: str, parameters: Sequence[Any] = ()) -> int:
        if statement.startswith("UPDATE"):
            found = session.rows(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[-1] for row in found)
        return execute(session, statement, parameters)

    world.source.records["leads"] = people(5)
    world.run(LEADS)
    monkeypatch.setattr(SqliteSession, "execute", explain)
    world.run(LEADS)
    assert "SCAN s" in plans
    assert not any(plan.startswith("SCAN t") for plan in plans)


def test_a_clock_that_runs_ahead_does_not_move_the_watermark_past_now(world: World) -> None:
    far = datetime(2999, 1, 1, tzinfo=UTC)
    world.source.records["leads"] = [person(1), person(2, updated_at=far)]
    assert world.run(LEADS).watermark == "2026-01-01T00:01:00+00:00"
    assert world.ids(LEADS) == [1, 2]


def test_a_run_start_model_reads_what_changed_since_the_last_run_began(world: World) -> None:
    world.source.records["calls"] = people(2)
    before = datetime.now(UTC)
    world.run(CALLS)
    world.run(CALLS)
    since = world.source.windows[-1].since
    assert isinstance(since, datetime)
    assert before - timedelta(seconds=5) <= since <= datetime.now(UTC)


@pytest.mark.parametrize(
    "options",
    [
        {"max_records": 2},
        {"mode": "force7"},
        {"start_date": NEW_YEAR},
        {"end_date": NEW_YEAR + timedelta(days=300)},
        {"dry_run": True},
    ],
    ids=lambda options: next(iter(options)),
)
def test_the_watermark_stays_where_not_everything_new_was_read(
    world: World, options: dict[str, Any]
) -> None:
    world.source.records["leads"] = people(2)
    world.run(LEADS)
    world.source.records["leads"].append(
        person(3, updated_at=datetime.now(UTC) - timedelta(hours=1))
    )
    world.run(LEADS, **options)
    world.source.records["leads"].clear()
    world.run(LEADS)
    # The last window is all there is: the record of the watermark has gone.
    assert world.source.windows[-2].since == NEW_YEAR + timedelta(minutes=1)


def test_a_limit_reads_no_more_records(world: World) -> None:
    world.source.records["leads"] = people(10)
    world.source.page_size = 4
    assert counts(world.run(LEADS, max_records=6)) == (6, 6, 0, 0)
    assert len(world.ids(LEADS)) == 6


def test_a_dry_run_counts_and_writes_nothing(world: World) -> None:
    world.source.records["users"] = people(3)
    assert counts(world.run(USERS, dry_run=True)) == (3, 3, 0, 0)
    assert not world.warehouse.dataset("fake").exists
    world.run(USERS)
    world.source.records["users"] = [person(1, name="New"), person(2), person(4)]
    assert counts(world.run(USERS, dry_run=True)) == (3, 1, 1, 1)
    assert world.ids(USERS) == [1, 2, 3]


def test_force_rewrites_rows_that_did_not_change(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    assert counts(world.run(USERS, force=True)) == (3, 0, 3, 0)
    assert world.ids(USERS) == [1, 2, 3]


def test_of_records_with_one_key_the_last_one_wins(world: World) -> None:
    world.source.page_size = 2
    world.source.records["users"] = [
        person(1, name="first"),
        person(1, name="second"),
        person(2),
        person(1, name="last"),
    ]
    assert counts(world.run(USERS)) == (2, 2, 0, 0)
    assert {row["id"]: row["name"] for row in world.rows(USERS)} == {1: "last", 2: "Person 2"}


def test_a_record_that_changes_and_changes_back_counts_as_unchanged(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    world.source.records["users"] = [person(1, name="other"), person(1)]
    assert counts(world.run(USERS)) == (1, 0, 0, 0)
    assert world.rows(USERS)[0]["name"] == "Person 1"


def test_values_keep_their_types(world: World) -> None:
    record = {
        "id": 1,
        "name": "00123",
        "updated_at": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
        "amount": Decimal("12400.05"),
        "local_time": datetime(2026, 3, 1, 7, 30),  # noqa: DTZ001 - a time without a zone
        "opens": time(8, 15),
        "born": NEW_YEAR.date(),
        "is_open": True,
        "ratio": 0.1,
        "big": 2**62,
        "tags": ["a", {"b": [1, 2.5]}],
        "looks_like_a_time": "2026-03-01T00:00:00Z",
    }
    world.source.records["users"] = [record]
    world.run(USERS)
    (row,) = world.rows(USERS)
    if row["updated_at"].tzinfo is None:  # SQLite keeps UTC without saying so
        row["updated_at"] = row["updated_at"].replace(tzinfo=UTC)
    assert {name: row[name] for name in record} == record


def test_a_zoneless_cursor_stays_zoneless(world: World) -> None:
    local = NEW_YEAR.replace(tzinfo=None)
    visits = Model("leads", cursor="at", incremental="cursor", columns={"at": "datetime"})
    world.source.records["leads"] = [{"id": 1, "at": local}]
    assert world.run(visits).watermark == "2026-01-01T00:00:00"
    result = world.run(visits)
    assert world.source.windows[-1].since == local
    assert counts(result)[1:] == (0, 0, 0)


def test_a_declared_column_exists_where_all_values_are_null(world: World) -> None:
    world.source.declared = {"users": {"closed_on": "date", "note": "text"}}
    world.source.records["users"] = people(1)
    world.run(USERS)
    assert {"closed_on", "note", "amount"} <= world.rows(USERS)[0].keys()


def test_a_column_that_appears_later_is_added_and_told(world: World) -> None:
    world.source.records["users"] = people(150)
    world.run(USERS)
    world.source.records["users"][120]["nick name"] = "Kim"
    result = world.run(USERS)
    assert result.updated == 1
    assert result.schema_changes == ["new column nick_name (text)"]
    assert {row["id"]: row["nick_name"] for row in world.rows(USERS)}[121] == "Kim"


def test_a_column_that_vanishes_is_told(world: World) -> None:
    world.source.records["users"] = [person(1, nick="Kim")]
    world.run(USERS)
    world.source.records["users"] = people(1)
    result = world.run(USERS)
    assert "no longer delivers column nick" in result.schema_changes[0]
    assert world.run(USERS).schema_changes == []


def test_a_column_that_vanishes_is_told_though_the_settings_declare_it(world: World) -> None:
    world.source.declared = {"users": {"nick": "text", "never_sent": "text"}}
    world.source.records["users"] = [person(1, nick="Kim")]
    world.run(USERS)
    world.source.records["users"] = people(1)
    result = world.run(USERS)
    assert [change.split(";")[0] for change in result.schema_changes] == [
        "the CRM no longer delivers column nick"
    ]


def test_a_column_without_a_value_has_not_vanished(world: World) -> None:
    world.source.records["users"] = [person(1, nick="Kim")]
    world.run(USERS)
    world.source.records["users"] = [person(1, nick=None)]
    assert world.run(USERS).schema_changes == []


def test_a_value_that_does_not_fit_changes_no_column_and_is_kept(world: World) -> None:
    world.source.records["users"] = [person(1, age=30)]
    world.run(USERS)
    world.source.records["users"] = [person(1, age="thirty", amount="12,50")]
    result = world.run(USERS)
    # The column _misfits, two columns that misfit, and a wider type proposed for each.
    assert len(result.schema_changes) == 5
    (row,) = world.rows(USERS)
    assert (row["age"], row["amount"]) == (None, None)
    assert row["_misfits"] == {
        "age": {"reason": "not_a_number", "value": "thirty"},
        "amount": {"reason": "not_a_number", "value": "12,50"},
    }
    assert "1 values of column age do not fit bigint (1 not_a_number); they stand in _misfits" in (
        result.schema_changes
    )
    assert not [name for name in row if "__v_" in name]
    assert counts(world.run(USERS)) == (1, 0, 0, 0)


def test_misfits_of_a_release_without_reasons_are_no_change(world: World) -> None:
    world.source.records["users"] = [person(1, age=30), person(2, age=31)]
    world.run(USERS)
    world.source.records["users"] = [person(1, age="thirty"), person(2, age=32)]
    world.run(USERS)
    world.execute(
        f'UPDATE {world.table("users")} SET _misfits = \'{{"age": "thirty"}}\' WHERE id = 1'
    )
    assert counts(world.run(USERS, mode="full")) == (2, 0, 0, 0)
    world.execute(
        f'UPDATE {world.table("users")} SET _misfits = \'{{"age": "forty"}}\' WHERE id = 1'
    )
    assert counts(world.run(USERS, mode="full")) == (2, 0, 1, 0)
    (row,) = (row for row in world.rows(USERS) if row["id"] == 1)
    assert row["_misfits"] == {"age": {"reason": "not_a_number", "value": "thirty"}}


def test_a_type_that_the_crm_changes_is_told_and_the_table_keeps_its_own(world: World) -> None:
    world.source.records["users"] = [person(1, code=7)]
    world.run(USERS)
    world.source.declared = {"users": {"code": "text"}}
    world.source.records["users"] = [person(1, code="8"), person(2, code="x9")]
    result = world.run(USERS)
    assert "the CRM declares column code as text, the table keeps bigint" in result.schema_changes
    assert {row["id"]: row["code"] for row in world.rows(USERS)} == {1: 8, 2: None}


def test_a_record_without_a_key_is_counted_as_failed(world: World) -> None:
    world.source.records["users"] = [person(1), {"id": None, "name": "Nobody"}]
    result = world.run(USERS)
    assert (result.created, result.failed) == (1, 1)
    assert "1 records have no key (id)" in (result.warning or "")


def test_characters_that_no_database_stores_are_dropped(world: World) -> None:
    world.source.records["users"] = [person(1, name="a\x00b\ud800c", tags=["x\x00y"])]
    world.run(USERS)
    (row,) = world.rows(USERS)
    assert (row["name"], row["tags"]) == ("abc", ["xy"])
    assert world.run(USERS).updated == 0


def test_a_run_leaves_nothing_in_the_memory_of_dlt(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    before = len(get_resolved_traces().all_traces)
    world.run(USERS)
    assert len(get_resolved_traces().all_traces) == before


def test_every_second_of_a_run_stands_in_a_step(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that moves on with every look: what no step holds would be missing in the sum."""
    ticks = count(1)
    monkeypatch.setattr(steps, "time", SimpleNamespace(monotonic=lambda: float(next(ticks))))
    world.source.records["leads"] = people(3)
    seconds = world.run(LEADS).seconds
    assert sum(seconds.values()) == next(ticks) - 2  # the first look begins, the last one ends
    assert set(seconds) == {
        "lock", "connect", "prepare", "extract", "convert", "stage", "list_keys", "load", "other",
    }  # fmt: skip
