"""Owners whose rows were read completely."""

from __future__ import annotations

from ingestion.sync.common.source import Scope
from ingestion.sync.load.owners import Owners


def test_a_page_that_is_complete_for_nobody_says_nothing() -> None:
    owners = Owners()
    owners.add(Scope(("call_day",), frozenset()))
    assert owners.held == {}


def test_owners_are_held_by_the_fields_that_name_them() -> None:
    owners = Owners()
    owners.add(Scope(("call_day",), frozenset({("2026-11-01",)})))
    owners.add(Scope(("call_day",), frozenset({("2026-11-02",)})))
    assert owners.held == {("call_day",): {("2026-11-01",), ("2026-11-02",)}}
