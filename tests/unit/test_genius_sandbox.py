"""The sandbox of Genius: the same data for the same seed and ticks, and data that makes sense."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.genius.settings import CRM, GeniusModel
from sandbox.base import SandboxConf
from sandbox.crms.genius import GeniusSandbox, family
from sandbox.crms.genius.changes import EDITED_COLUMNS
from sandbox.crms.genius.company import LOOKUPS
from sandbox.crms.genius.schema import MODEL_TABLES, TABLES, key_column

AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
Rows = dict[str, list[tuple[Any, ...]]]

# Child column to parent table; every child row must find its parent.
PARENTS = {
    ("prospect_source", "prospect_id"): "prospect",
    ("lead", "prospect_id"): "prospect",
    ("contact", "prospect_id"): "prospect",
    ("appointment", "prospect_id"): "prospect",
    ("appointment", "prospect_source_id"): "prospect_source",
    ("appointment", "user_id"): "user_data",
    ("job", "prospect_id"): "prospect",
    ("job", "sold_user_id"): "user_data",
    ("job_change_order", "job_id"): "job",
    ("job_change_order_item", "change_order_id"): "job_change_order",
    ("change_order", "job_id"): "job",
    ("change_order_item", "change_order_id"): "change_order",
    ("task", "task_type_id"): "task_type",
    ("task", "workflow_step_id"): "workflow_step",
    ("workflow_step", "workflow_id"): "workflow",
    ("workflow_step", "step_type_id"): "workflow_step_type",
    ("prospect", "status_id"): "prospect_status",
    ("prospect", "type_id"): "prospect_type",
    ("rep", "user_id"): "user_data",
    ("rep", "team_id"): "team",
    ("rep", "rep_type_id"): "rep_type",
    ("tag", "tag_group_id"): "tag_group",
    ("team", "manager_user_id"): "user_data",
    ("marketsharp_leads", "contact_id"): "marketsharp_contacts",
    ("marketsharp_appointments", "contact_id"): "marketsharp_contacts",
}


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    numbers = iter(range(100))

    def new_folders() -> Iterator[Path]:
        while True:
            folder = tmp_path / str(next(numbers))
            folder.mkdir()
            yield folder

    return new_folders()


def sandbox(folder: Path, *, rows: int = 60, seed: int = 1) -> GeniusSandbox:
    return GeniusSandbox(SandboxConf(folder, seed=seed, rows=rows))


def connect(folder: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(folder / "genius.sqlite3"))


def contents(folder: Path) -> Rows:
    with connect(folder) as link:
        return {
            name: link.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in TABLES
        }


def keys(rows: Rows, table: str) -> set[int]:
    return {row[0] for row in rows[table]}


def column(rows: Rows, table: str, name: str) -> list[Any]:
    position = TABLES[table].columns.keys().index(name)
    return [row[position] for row in rows[table]]


def orphans(rows: Rows) -> dict[tuple[str, str], set[int]]:
    found = {
        (child, name): set(column(rows, child, name)) - {None} - keys(rows, parent)
        for (child, name), parent in PARENTS.items()
    }
    return {where: missing for where, missing in found.items() if missing}


def test_every_model_of_the_sync_has_its_table() -> None:
    synced = {m.name: (m.table, m.key) for m in CRM.models if isinstance(m, GeniusModel)}
    assert synced == {
        model: (table, (key_column(TABLES[table]).name,)) for model, table in MODEL_TABLES.items()
    }


def test_a_sync_is_incremental_where_the_table_has_the_column() -> None:
    for model in CRM.models:
        assert isinstance(model, GeniusModel)
        assert (model.cursor is not None) == ("updated_at" in TABLES[model.table].c), model.name


def test_the_same_seed_and_ticks_give_the_same_data(folders: Iterator[Path]) -> None:
    first, second = next(folders), next(folders)
    for folder in (first, second):
        made = sandbox(folder)
        made.tick(AT)
        made.tick(AT + timedelta(hours=1))
    assert contents(first) == contents(second)


def test_another_seed_gives_other_data(folders: Iterator[Path]) -> None:
    first, second = next(folders), next(folders)
    sandbox(first, seed=1)
    sandbox(second, seed=2)
    assert contents(first)["prospect"] != contents(second)["prospect"]


def test_it_has_as_many_prospects_as_asked(folders: Iterator[Path]) -> None:
    assert sandbox(next(folders), rows=37).counts()["prospects"] == 37


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_the_smallest_sizes_work(folders: Iterator[Path], rows: int) -> None:
    made = sandbox(next(folders), rows=rows)
    assert made.tick(AT)["created"] > 0
    assert made.tick(AT + timedelta(hours=1))["updated"] > 0


def test_every_table_has_rows(folders: Iterator[Path]) -> None:
    assert [model for model, count in sandbox(next(folders)).counts().items() if not count] == []


def test_related_records_exist_and_stay(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made = sandbox(folder)
    assert orphans(contents(folder)) == {}
    for hours in range(5):
        made.tick(AT + timedelta(hours=hours))
    assert orphans(contents(folder)) == {}


def test_a_tick_does_what_it_says(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made, before = sandbox(folder), contents(folder)
    counts = made.tick(AT)
    after = contents(folder)
    created = sum(len(keys(after, name) - keys(before, name)) for name in TABLES)
    deleted = sum(len(keys(before, name) - keys(after, name)) for name in TABLES)
    changed = sum(
        len([row for row in after[name] if row[0] in keys(before, name)])
        - len(set(after[name]) & set(before[name]))
        for name in TABLES
    )
    assert counts == {"created": created, "updated": changed, "deleted": deleted}


def test_a_tick_touches_every_table(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made, before = sandbox(folder), contents(folder)
    made.tick(AT)
    after = contents(folder)
    assert [name for name in TABLES if before[name] == after[name]] == []
    assert EDITED_COLUMNS.keys() | LOOKUPS.keys() == TABLES.keys()


def test_what_a_tick_changes_carries_its_time(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made, before = sandbox(folder), contents(folder)
    made.tick(AT)
    after = contents(folder)
    for name in EDITED_COLUMNS:
        old = set(before[name])
        times = column({name: [row for row in after[name] if row not in old]}, name, "updated_at")
        # A new lead has none: its added_on tells when it came.
        assert set(times) - {None} == {"2026-03-01 12:00:00.000000"}, name


def test_a_tick_that_is_told_again_changes_nothing(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made = sandbox(folder)
    counts = made.tick(AT)
    after = contents(folder)
    assert sandbox(folder).tick(AT) == counts
    assert contents(folder) == after


def test_a_key_is_never_given_to_another_record(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made = sandbox(folder, rows=8)
    gone: dict[str, set[int]] = {name: set() for name in TABLES}
    before = contents(folder)
    for hours in range(12):
        made.tick(AT + timedelta(hours=hours))
        after = contents(folder)
        for name in TABLES:
            assert not gone[name] & keys(after, name), name
            gone[name] |= keys(before, name) - keys(after, name)
        before = after
    assert any(gone.values())


def test_rows_can_be_read_while_a_tick_writes(folders: Iterator[Path]) -> None:
    folder = next(folders)
    made = sandbox(folder)
    with connect(folder) as link:
        link.execute("BEGIN")
        count = link.execute("SELECT count(*) FROM prospect").fetchone()
        made.tick(AT)
        assert link.execute("SELECT count(*) FROM prospect").fetchone() == count


def test_another_size_makes_the_database_anew(folders: Iterator[Path]) -> None:
    folder = next(folders)
    sandbox(folder, rows=10).tick(AT)
    sandbox(folder, rows=12)
    fresh = next(folders)
    sandbox(fresh, rows=12)
    assert contents(folder) == contents(fresh)


def test_a_database_whose_filling_was_cut_short_is_made_anew(
    folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = next(folders)
    with monkeypatch.context() as patch:
        patch.setattr(family.Family, "add", lambda self: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sandbox(folder)
    assert sandbox(folder).counts()["prospects"] == 60
