"""A CRM's sandbox beside a warehouse, where a test breaks a part of a sync on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingestion.services.runs.verification import Second, verify_model
from ingestion.services.runs.verification_report import ModelReport
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crms, load_source, open_source
from ingestion.sync.common.source import Model, Page, Window
from ingestion.sync.raw.reader import open_reader
from ingestion.sync.raw.second import Recorder
from tests.crms.world import sandboxes
from tests.truth.world import World

ROWS = 24
# Of every list there is a second page then.
PAGE_ROWS = 10


@contextmanager
def sandboxed(world: World, name: str, folder: Path, **settings: str) -> Iterator[World]:
    """The world with a new sandbox of the CRM."""
    with sandboxes(name, folder=folder, rows=ROWS) as server:
        yield world.use(name, {**server.settings, **settings})


def verified(world: World, model: str) -> ModelReport:
    """As ``verify_warehouse`` does it."""
    crm, recorder, context = crms()[world.name], Recorder(), world.context()
    with (
        closing(open_source(world.name, replace(context, hear=recorder.hear))) as source,
        closing(open_reader(world.name, context)) as reader,
    ):
        second = Second(reader, recorder)
        return verify_model(
            crm, crm.model(model), source, world.warehouse, SilentReporter(), second
        )


def source_class(world: World) -> Any:
    """What stands behind the CRM's Source, with the settings of the world."""
    with closing(load_source(world.name)(world.context())) as source:
        return type(source)


def cut_after_a_page(world: World, monkeypatch: Any) -> None:
    """Paging ends too early."""
    kind = source_class(world)
    whole = kind.pages

    def pages(self: Any, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        for page in whole(self, model, window, batch_size=PAGE_ROWS):
            yield replace(page, records=list(page.records)[:PAGE_ROWS])
            if page.records:
                return

    monkeypatch.setattr(kind, "pages", pages)


def leave_out(world: World, is_left_out: Callable[[Any], bool], monkeypatch: Any) -> None:
    """Paging skips some records."""
    kind = source_class(world)
    whole = kind.pages

    def pages(self: Any, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        for page in whole(self, model, window, batch_size=batch_size):
            yield replace(page, records=[r for r in page.records if not is_left_out(r)])

    monkeypatch.setattr(kind, "pages", pages)


def leave_out_of_answers(world: World, key: str, monkeypatch: Any) -> None:
    """The answers to the sync's questions do not have it, either."""
    with closing(open_reader(world.name, world.context())) as reader:
        kind = type(reader)
    whole = kind.received

    def received(self: Any, model: Model, answer: Any) -> Iterator[Any]:
        yield from (found for found in whole(self, model, answer) if found.key[0] != key)

    monkeypatch.setattr(kind, "received", received)
