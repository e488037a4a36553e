"""Verification that can fail: a part of a sync is broken on purpose, so that the sync and the first
reading, which takes the same parts, agree on something wrong. The second reading says what differs."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytest

from ingestion.sync.five9 import fields
from tests.truth.sandboxed import (
    cut_after_a_page,
    leave_out,
    leave_out_of_answers,
    sandboxed,
    verified,
)
from tests.truth.world import World

pytestmark = pytest.mark.django_db

LAKE = {"SALESPRO_BACKEND": "athena"}
# CRM and model; of SalesPro both back ends.
MODELS = [
    pytest.param("arrivy", "tasks", {}, id="arrivy"),
    pytest.param("callrail", "calls", {}, id="callrail"),
    pytest.param("five9", "contacts", {}, id="five9"),
    pytest.param("genius", "leads", {}, id="genius"),
    pytest.param("gsheet", "leads", {}, id="gsheet"),
    pytest.param("hubspot", "contacts", {}, id="hubspot"),
    pytest.param("leadconduit", "leads", {}, id="leadconduit"),
    pytest.param("marketsharp", "contacts", {}, id="marketsharp"),
    pytest.param("salespro", "jobs", {}, id="salespro"),
    pytest.param("salespro", "proposals", LAKE, id="salespro-athena"),
    pytest.param("salesrabbit", "leads", {}, id="salesrabbit"),
]


def late(convert: Callable[..., Any]) -> Callable[..., Any]:
    """Times are an hour late."""

    def converted(*args: Any) -> Any:
        found = convert(*args)
        return found + timedelta(hours=1) if isinstance(found, datetime) else found

    return converted


def in_capitals(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Texts of a record, or of several, are not what was sent."""

    def changed(row: Any) -> Any:
        if isinstance(row, list):
            return [changed(one) for one in row]
        return {n: str(v).upper() if n in names and v else v for n, v in row.items()}

    return lambda convert: lambda *args: changed(convert(*args))


def seven(convert: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: Decimal(7)


def unread(convert: Callable[..., Any]) -> Callable[..., Any]:
    """It is kept beside its column, though it would have fitted."""
    return lambda *args: None


def in_2001(convert: Callable[..., Any]) -> Callable[..., Any]:
    return lambda text: "2001-01-01T00:00:00Z"


# A function of a CRM's conversion, what is made of it, and the column in which it shows.
CONVERSIONS = [
    pytest.param("arrivy", "tasks", {}, "arrivy.source._rows", in_capitals("title"), "title"),
    pytest.param("callrail", "calls", {}, "callrail.rows.amount", seven, "value"),
    pytest.param("callrail", "calls", {}, "callrail.rows.amount", unread, "value"),
    pytest.param("five9", "contacts", {}, "five9.fields._moment", late, "date"),
    pytest.param("gsheet", "leads", {}, "gsheet.cells.moment_of_serial", late, "appt"),
    pytest.param("gsheet", "spends", {}, "gsheet.cells.Reader._number", seven, "cost"),
    pytest.param("hubspot", "contacts", {}, "hubspot.values.without_milliseconds", in_2001, "date"),
    pytest.param("leadconduit", "leads", {}, "leadconduit.source._from_ms", late, "timestamp"),
    pytest.param("marketsharp", "contacts", {}, "marketsharp.odata.moment", late, "date"),
    pytest.param(
        "marketsharp", "notes", {}, "marketsharp.odata._properties", in_capitals("note"), ""
    ),
    pytest.param("salespro", "jobs", {}, "salespro.times.moment", late, "_at"),
    pytest.param("salespro", "proposals", LAKE, "salespro.times.moment", late, "_at"),
    pytest.param(
        "salesrabbit", "leads", {}, "salesrabbit.source.tidy", in_capitals("street1"), "street1"
    ),
]


@pytest.mark.parametrize(("name", "model", "settings"), MODELS)
def test_what_is_not_broken_is_equal(
    world: World, tmp_path: Path, name: str, model: str, settings: dict[str, str]
) -> None:
    with sandboxed(world, name, tmp_path / "sandbox", **settings):
        world.sync(model)
        report = verified(world, model)
        assert (report.is_equal, report.notes, report.examples) == (True, [], [])
        assert report.sent == report.source_rows > 10


@pytest.mark.parametrize(("name", "model", "settings", "place", "broken", "column"), CONVERSIONS)
def test_a_wrong_conversion_is_found(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    model: str,
    settings: dict[str, str],
    place: str,
    broken: Callable[[Any], Any],
    column: str,
) -> None:
    path = f"ingestion.sync.{place}"
    monkeypatch.setattr(path, broken(resolve_name(path)))
    with sandboxed(world, name, tmp_path / "sandbox", **settings):
        world.sync(model)
        report = verified(world, model)
        assert (report.missing, report.extra, report.different) == (0, 0, 0)
        assert not report.is_equal
        assert report.wrong_values > 0
        assert column in " ".join(report.examples)
        assert "the conversion makes other values" in (report.advice or "")


@pytest.mark.parametrize(("name", "model", "settings"), MODELS)
def test_pages_that_end_too_early_are_found(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    model: str,
    settings: dict[str, str],
) -> None:
    with sandboxed(world, name, tmp_path / "sandbox", **settings):
        cut_after_a_page(world, monkeypatch)
        world.sync(model)
        report = verified(world, model)
        assert (report.missing, report.extra, report.different) == (0, 0, 0)
        assert not report.is_equal
        assert report.unread or report.is_miscounted
        assert "does not reach every record" in (report.advice or "")


# Where the CRM gives a record by its key, or is read a second time as a whole.
FOUND_BY_KEY = [p for p in MODELS if p.id not in ("callrail", "leadconduit")]


@pytest.mark.parametrize(("name", "model", "settings"), FOUND_BY_KEY)
def test_a_living_record_that_is_marked_as_deleted_is_found(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    model: str,
    settings: dict[str, str],
) -> None:
    """No page gives it any more, so that the sync and the first reading take it for gone."""
    with sandboxed(world, name, tmp_path / "sandbox", **settings):
        world.sync(model)
        key = KEYS.get((name, model), "id")
        chosen = world.rows(model, key)[0]
        leave_out(world, lambda record: str(record[key]) == str(chosen), monkeypatch)
        leave_out_of_answers(world, str(chosen), monkeypatch)
        assert world.sync(model, mode="full").deleted == 1
        report = verified(world, model)
        assert (report.missing, report.extra) == (0, 0)
        assert not report.is_equal
        assert str(chosen) in " ".join(report.examples)


KEYS = {
    ("five9", "contacts"): "contact_key",
    ("genius", "leads"): "lead_id",
    ("gsheet", "leads"): "row_key",
    ("salespro", "proposals"): "estimate_id",
}


def test_rows_that_a_cursor_hid_are_missing(world: World, tmp_path: Path) -> None:
    """A run that begins too late loads nothing of what came before, and says success."""
    with sandboxed(world, "hubspot", tmp_path / "sandbox"):
        now = datetime.now(UTC) + timedelta(days=1)
        world.sync("contacts", start_date=now)
        report = verified(world, "contacts")
        assert report.missing == report.source_rows > 10
        assert report.advice == "manage.py sync_hubspot_contacts --full"


def test_a_column_of_whole_numbers_for_fractions_is_found(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every value is kept, beside its column; and yet nobody can count with it."""
    kind_of = fields._column_type
    with sandboxed(world, "five9", tmp_path / "sandbox"):
        monkeypatch.setattr(
            fields, "_column_type", lambda f: "bigint" if f.name == "Score" else kind_of(f)
        )
        world.sync("contacts")
        report = verified(world, "contacts")
        (wrong,) = report.wrong_types
        assert re.fullmatch(
            r"score is bigint, and \d+ numbers with fractions are kept beside it", wrong
        )
        assert (report.is_equal, report.wrong_values) == (False, 0)
