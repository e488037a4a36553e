"""A small Genius, and ways to read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from ingestion.sync.common.source import Meter, Model, Record, SourceContext, Window
from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.source import Source

# A table of a test: one of the real ones need not have what is odd about it.
VISITS = GeniusModel(
    "visits", table="visit", cursor="updated_at", incremental="cursor", added_column="added_on"
)


EVERYTHING = Window()


class Genius:
    """An SQLite database, written with SQL and read with the source."""

    def __init__(self, path: Path) -> None:
        self.url = f"sqlite:///{path}"
        self.engine: Engine = create_engine(self.url)
        self.meter = Meter()

    def run(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def source(self, *, zone: str = "UTC") -> Source:
        settings = {DATABASE_URL: self.url, TIME_ZONE: zone}
        return Source(SourceContext(settings, meter=self.meter))

    def read(
        self, model: Model, window: Window = EVERYTHING, *, size: int = 100, zone: str = "UTC"
    ) -> list[Record]:
        pages = self.source(zone=zone).pages(model, window, batch_size=size)
        return [record for page in pages for record in page.records]


@pytest.fixture
def genius(tmp_path: Path) -> Genius:
    made = Genius(tmp_path / "genius.sqlite3")
    made.run(
        "CREATE TABLE visit (id INTEGER PRIMARY KEY, note TEXT, added_on DATETIME,"
        " updated_at DATETIME)"
    )
    return made


@pytest.fixture
def add_visit(genius: Genius) -> Callable[[int, str | None, str | None], None]:
    """Add a visit by key, updated_at and added_on, as ``2026-03-01 12:00:00``."""

    def add(key: int, updated_at: str | None, added_on: str | None = None) -> None:
        with genius.engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO visit (id, updated_at, added_on) VALUES (?, ?, ?)",
                (key, _stored(updated_at), _stored(added_on)),
            )

    return add


def _stored(time: str | None) -> str | None:
    """As SQLAlchemy writes it; SQLite compares times as texts."""
    return None if time is None else f"{time}.000000"
