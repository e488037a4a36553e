"""A warehouse that the release before the column map has loaded goes on without a reload: columns,
marks and watermarks stay, and no row counts as updated that did not change."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.misfits import misfit_values
from ingestion.sync.common.source import Model, Window
from tests import earlier_release
from tests.earlier_release import NEW_YEAR, ODD, WRONG
from tests.fake_crm import CALLS, FAKE, LEADS, USERS
from tests.sync_world import World, counts

COLUMNS = Model("_columns")


@pytest.fixture
def world(world: World) -> World:
    if world.is_of_duckdb:
        pytest.skip("no earlier release has loaded into DuckDB or Delta files")
    if world.warehouse.is_mariadb:  # its database had the CRM's name, on the whole server
        return replace(world, crm=replace(FAKE, name=str(world.warehouse.url.database) + "_old"))
    return world


@pytest.fixture
def loaded(world: World, earlier_release_dir: Path) -> World:
    """A warehouse as that release leaves it, and what the CRM has."""
    program = [sys.executable, earlier_release.__file__, world.url, str(world.pipelines_dir)]
    program.append(world.crm.name)
    environment = {**os.environ, "PYTHONPATH": str(earlier_release_dir)}
    subprocess.run(program, env=environment, cwd=earlier_release_dir, check=True, timeout=300)
    world.source.records = {
        "users": [dict(ODD), dict(WRONG)],
        "leads": [dict(lead) for lead in earlier_release.LEADS],
        "calls": [{"id": 1, "name": "told", "_deleted_at": NEW_YEAR}],
    }
    return world


def test_nothing_counts_as_changed(loaded: World) -> None:
    for model, processed in ((USERS, 2), (LEADS, 2), (CALLS, 1)):
        assert counts(loaded.run(model)) == (processed, 0, 0, 0)
        assert counts(loaded.run(model, mode="full"))[1:] == (0, 0, 0)
        hashes = {row["_row_hash"][:2] for row in loaded.rows(model, deleted=None)}
        assert "1:" in hashes


def test_rows_columns_and_marks_stay(loaded: World) -> None:
    before = {row["id"]: row for row in loaded.rows(USERS, deleted=None)}
    loaded.run(USERS)
    after = {row["id"]: row for row in loaded.rows(USERS, deleted=None)}
    for key, row in before.items():
        for column, value in row.items():
            if column == "_misfits" and value:  # reasons are added without counting as a change
                assert misfit_values(after[key][column]) == value
                assert all(entry["reason"] for entry in after[key][column].values())
            elif column != "_row_hash":
                assert _same(after[key][column], value), column
    assert loaded.ids(USERS, deleted=True) == [3]
    assert {
        row["source_name"]: row["column_name"]
        for row in loaded.rows(COLUMNS, deleted=None)
        if row["source_name"] in ("Lead Source", "lead_source", "姓名")
    } == {"Lead Source": "lead_source", "lead_source": "lead_source_2", "姓名": "x"}


def test_the_watermark_goes_on(loaded: World) -> None:
    result = loaded.run(LEADS)
    assert loaded.source.windows[-1] == Window(since=earlier_release.LEADS[1]["updated_at"])
    assert result.watermark == "2026-01-01T00:03:00+00:00"


def test_what_changed_is_found(loaded: World) -> None:
    loaded.source.records["users"][0]["name"] = "new"
    loaded.source.records["users"].append({"id": 4, "Lead Source": "x", "lead_source": "y"})
    assert counts(loaded.run(USERS)) == (3, 1, 1, 0)
    new = next(row for row in loaded.rows(USERS) if row["id"] == 4)
    assert (new["lead_source"], new["lead_source_2"]) == ("x", "y")


def test_numbers_keep_their_digits_from_now_on(loaded: World) -> None:
    exact = Decimal("12345678901234567.1234567890123")
    loaded.source.records["users"][1]["amount"] = exact
    assert counts(loaded.run(USERS)) == (2, 0, 1, 0)
    rows = {row["id"]: row for row in loaded.rows(USERS)}
    assert (rows[1]["amount"], rows[2]["amount"]) == (Decimal("12400.05"), exact)


def test_an_upgrade_that_was_cut_between_columns_and_rows_goes_on(loaded: World) -> None:
    class Stops:
        """Lets the columns be made ready, and ends the run before the rows."""

        def __init__(self) -> None:
            self.checks = 0
            self.is_loading = False

        def step(self, model: str, step: str) -> None:
            self.is_loading = step == "load"

        def advance(self, model: str, *, rows: int) -> None: ...

        def check(self) -> None:
            self.checks += self.is_loading
            if self.checks == 2:
                raise KeyboardInterrupt

        def check_known(self) -> None: ...

    with pytest.raises(KeyboardInterrupt):
        loaded.run(LEADS, reporter=Stops())
    assert loaded.rows(COLUMNS, deleted=None)
    assert counts(loaded.run(LEADS)) == (2, 0, 0, 0)
    assert loaded.source.windows[-1] == Window(since=earlier_release.LEADS[1]["updated_at"])


def _same(one: Any, other: Any) -> bool:
    """SQLite keeps UTC without saying so."""
    if getattr(one, "tzinfo", None) is not None:
        one, other = one.astimezone(UTC), other.astimezone(UTC)
    return bool(one == other)


def test_json_that_another_version_wrote_in_another_form_is_no_change(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "tags": {"a": [1, 2], "b": "é"}}]
    # MariaDB takes an é that is written with a backslash for another text.
    written = "é" if world.warehouse.is_mariadb else "\\u00e9"
    other_form = f'{{"b": "{written}", "a": [1,  2]}}'
    world.run(USERS)
    world.execute(
        f"UPDATE {world.table('users')} SET _row_hash = '0:of another version',"
        f" tags = '{other_form}'"
    )
    world.execute(f"UPDATE {world.table('_watermarks')} SET has_old_hashes = true")
    assert counts(world.run(USERS)) == (1, 0, 0, 0)
    (row,) = world.rows(USERS)
    assert (row["tags"], row["_row_hash"][:2]) == ({"a": [1, 2], "b": "é"}, "1:")
    assert counts(world.run(USERS, mode="full")) == (1, 0, 0, 0)
    world.execute(f"UPDATE {world.table('users')} SET _row_hash = '0:old', tags = '[3]'")
    world.execute(f"UPDATE {world.table('_watermarks')} SET has_old_hashes = true")
    assert counts(world.run(USERS)) == (1, 0, 1, 0)


def test_misfits_that_another_version_wrote_get_their_reasons_without_being_a_change(
    world: World,
) -> None:
    world.source.records["users"] = [{"id": 1, "amount": "12"}, {"id": 2, "amount": "twelve"}]
    world.run(USERS)
    world.execute(
        f"UPDATE {world.table('users')} SET _row_hash = '0:of another version',"
        ' _misfits = \'{"amount":  "twelve"}\' WHERE id = 2'
    )
    world.execute(f"UPDATE {world.table('_watermarks')} SET has_old_hashes = true")
    assert counts(world.run(USERS)) == (2, 0, 0, 0)
    rows = {row["id"]: row for row in world.rows(USERS)}
    assert rows[2]["_misfits"] == {"amount": {"reason": "not_a_number", "value": "twelve"}}
    assert rows[2]["_row_hash"].startswith("1:")
