"""Recordings, as somebody whose data may not leave the house hands them over: what is exchanged is played
again, and the values that must stand in the warehouse are those of the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.run import ModelResult
from ingestion.sync.recording.bundle import read_bundle
from sandbox.serving.replay import ReplayServer
from tests.truth.world import World

FOLDER = Path(__file__).with_name("bundles")
LATIN_1 = "Húmbot Ýmqxê"


@contextmanager
def replayed(world: World, name: str, folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The model, and how the sync was run. Every request has an answer in the recording."""
    bundle, lacking = read_bundle(FOLDER / f"{name}.json"), list[str]()
    sizes = [o.partition("=")[2] for o in bundle.options if o.startswith("--batch-size=")]
    options = {"mode": "full", "batch_size": int(sizes[0]) if sizes else None}
    try:
        with ReplayServer(bundle, folder, port=0, tell=lacking.append) as replay:
            world.use(bundle.crm, replay.settings)
            yield bundle.model, options
    finally:
        assert lacking == []


def synced(world: World, name: str, folder: Path) -> ModelResult:
    with replayed(world, name, folder) as (model, options):
        return world.sync(model, **options)


def test_a_row_that_goes_between_two_pages_hides_no_other(world: World, tmp_path: Path) -> None:
    result = synced(world, "a_row_goes_between_two_pages", tmp_path)
    assert (result.warning, result.deleted) == (None, 0)
    assert sorted(world.rows("leads", "id")) == list(range(1, 31))


def test_an_id_of_a_clock_that_runs_ahead_is_no_watermark(world: World, tmp_path: Path) -> None:
    result = synced(world, "an_id_of_a_clock_that_runs_ahead", tmp_path)
    assert world.rows("leads", "lead_id") == ["L1", "L2"]
    seconds = int(str(result.watermark)[:8], 16)
    assert datetime.fromtimestamp(seconds, UTC) < datetime.now(UTC)


def test_a_sheet_in_german_is_read_in_german(world: World, tmp_path: Path) -> None:
    synced(world, "a_sheet_in_german", tmp_path)
    autumn = date(2026, 11, 30)
    assert world.rows("spends", "channel", "date", "cost") == [
        ("C", autumn, Decimal("4381.83")),
        ("K", autumn, Decimal("48.10")),
        ("M", date(2026, 12, 31), Decimal("4381.83")),
        ("V", autumn, None),
    ]
    misfits = dict(world.rows("spends", "channel", "_misfits"))
    assert misfits["V"] == {"cost": {"reason": "not_a_number", "value": "4,381.83"}}


def test_a_name_in_latin_1_is_that_name(world: World, tmp_path: Path) -> None:
    synced(world, "names_in_latin_1", tmp_path)
    (name,) = world.rows("contacts", "last_name")
    assert name == LATIN_1


def test_a_wait_that_is_asked_for_is_one_request_more(world: World, tmp_path: Path) -> None:
    synced(world, "a_wait_that_is_asked_for", tmp_path)
    assert (world.rows("leads", "id"), world.meter.throttled) == ([1], 1)


def test_a_query_that_may_succeed_later_is_a_passing_failure(world: World, tmp_path: Path) -> None:
    with pytest.raises(TransientError):
        synced(world, "a_query_that_may_succeed_later", tmp_path)


def test_a_company_without_rights_is_named_and_costs_itself_alone(
    world: World, tmp_path: Path
) -> None:
    result = synced(world, "a_company_without_rights", tmp_path)
    assert "403" in (result.warning or "")
    assert world.rows("integrations", "id") == [10]
