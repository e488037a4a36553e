"""A CRM in memory: a source whose records a test sets, page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.sync.common.source import Columns, Crm, KeyRange, Model, Page, Record, Scope, Window

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
PERSON: Columns = {"id": "bigint", "name": "text", "updated_at": "timestamp", "amount": "decimal"}

LEADS = Model(
    "leads", cursor="updated_at", incremental="cursor", overlap_seconds=60, columns=PERSON
)
USERS = Model("users", columns=PERSON)
JOBS = Model("jobs", columns=PERSON)
CALLS = Model("calls", incremental="run_start", deletions="told", overlap_seconds=5, columns=PERSON)
LINKS = Model(
    "links",
    key=("from_id", "to_id"),
    incremental="run_start",
    deletions="never",
    columns={"from_id": "text", "to_id": "text", "label": "text"},
)
FAKE = Crm(name="fake", title="Fake", models=(LEADS, USERS, JOBS, CALLS, LINKS), fallback="all")


def person(number: int, **changes: Any) -> Record:
    """A record that was last changed ``number`` minutes into the year."""
    return {
        "id": number,
        "name": f"Person {number}",
        "updated_at": NEW_YEAR + timedelta(minutes=number),
        **changes,
    }


def people(count: int) -> list[Record]:
    return [person(number) for number in range(1, count + 1)]


def _nothing(model: str, number: int) -> None:
    """By name: a lambda cannot be handed to another process."""


@dataclass
class FakeSource:
    """``records`` and, for the first page of a model, ``scopes`` by model name; of every page the keys
    that were ``merged``.

    ``on_page`` is called before each page with the model's name and the page's number.
    """

    records: dict[str, list[Record]] = field(default_factory=dict)
    scopes: dict[str, Scope] = field(default_factory=dict)
    declared: Mapping[str, Columns] = field(default_factory=dict)
    merged: frozenset[str] = frozenset()
    page_size: int = 100
    windows: list[Window] = field(default_factory=list)
    on_page: Callable[[str, int], None] = _nothing
    is_closed: bool = False

    def columns(self, model: Model) -> Columns:
        return self.declared.get(model.name, {})

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        self.windows.append(window)
        found = [r for r in self.records.get(model.name, []) if _is_in(r, model, window)]
        size = batch_size or self.page_size
        for number, start in enumerate(range(0, max(len(found), 1), size)):
            self.on_page(model.name, number)
            scope = self.scopes.get(model.name) if number == 0 else None
            records = [dict(record) for record in found[start : start + size]]
            yield Page(records, scope, merged=self.merged)

    def close(self) -> None:
        self.is_closed = True


class FakeDatabase(FakeSource):
    """A source that can list its keys."""

    def keys(self, model: Model) -> Iterator[list[Record]]:
        yield [{name: r[name] for name in model.key} for r in self.records.get(model.name, [])]


class FakeSummedDatabase(FakeDatabase):
    """A source that can sum its keys up; ``listed`` are the ranges whose keys were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.listed: list[int] = []

    def keys(self, model: Model) -> Iterator[list[Record]]:
        raise AssertionError("all keys were listed")

    def key_ranges(self, model: Model, size: int) -> Iterator[KeyRange]:
        found: dict[int, list[int]] = {}
        for record in self.records.get(model.name, []):
            found.setdefault(int(record["id"] / size), []).append(record["id"])
        for number, keys in found.items():
            rests = [key - number * size for key in keys]
            yield KeyRange(number, len(keys), sum(rests), sum(rest * rest for rest in rests))

    def keys_in(self, model: Model, number: int, size: int) -> Iterator[list[Record]]:
        self.listed.append(number)
        yield [
            {"id": record["id"]}
            for record in self.records[model.name]
            if int(record["id"] / size) == number
        ]


def _is_in(record: Record, model: Model, window: Window) -> bool:
    moment: Any = record.get(model.cursor) if model.cursor else None
    if moment is None:
        return True
    is_late_enough = window.since is None or moment >= window.since
    return is_late_enough and (window.until is None or moment <= window.until)
