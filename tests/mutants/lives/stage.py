"""Where a life is lived: a world whose warehouse is new, and the verification at its end."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import sqlalchemy as sa
from pytest_httpserver import HTTPServer

from ingestion.services.runs.verification_report import ModelReport
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.rate_limit import ProcessRateLimiter
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from ingestion.sync.salespro import athena
from tests.mutants.outcome import Outcome
from tests.truth.sandboxed import verified
from tests.truth.world import World

BATCH = 10


@dataclass
class Stage:
    """``now``: the same for every life of a run of the command. ``warnings``: of the syncs."""

    world: World
    server: HTTPServer
    folder: Path
    now: datetime
    warnings: list[str] = field(default_factory=list)

    def sync(self, model: str, mode: str = "full", **options: Any) -> None:
        """Raises SyncError."""
        options = {"batch_size": BATCH, **options}
        self.note(self.world.sync(model, mode=mode, **options).warning)

    def try_to_sync(self, model: str, mode: str = "full", **options: Any) -> None:
        """Where a source may never rest: that it failed is what the life reports."""
        try:
            self.sync(model, mode, **options)
        except SyncError as problem:
            self.note(f"failed: {problem}")

    def note(self, warning: str | None) -> None:
        if warning:
            self.warnings.append(warning[:200])

    def minutes(self) -> Iterator[datetime]:
        """Moments of changes, from now on."""
        return (self.now + timedelta(minutes=n) for n in range(1, 100))

    def outcome(self, model: str) -> Outcome:
        """What verification says of the table, as the CRM and the table are now."""
        return outcome_of(self, model, verified(self.world, model))


Life = Callable[[Stage], Outcome]


def outcome_of(stage: Stage, model: str, report: ModelReport) -> Outcome:
    rows = sum_of_rows(stage.world.warehouse, stage.world.name, model)
    return Outcome(tuple(stage.warnings), None if report.is_equal else _words(report), rows)


def lived(name: str, now: datetime) -> Outcome:
    """The life ``module.name``. Raises what it raises."""
    ProcessRateLimiter.reserve = lambda self, rate: 0.0  # type: ignore[method-assign]
    athena.POLL_SECONDS = 0.01
    module, _, own = name.partition(".")
    life: Life = resolve_name(f"tests.mutants.lives.{module}:LIVES")[own]
    with _stage(now) as stage:
        return life(stage)


@cache
def _server() -> HTTPServer:
    """One for all lives of a process: to stop one takes half a second."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = HTTPServer()
    server.start()
    return server


@contextmanager
def _stage(now: datetime) -> Iterator[Stage]:
    server = _server()
    server.clear()
    with tempfile.TemporaryDirectory(prefix="life-") as name:
        folder = Path(name)
        with closing(Warehouse(f"sqlite:///{folder}/warehouse.sqlite3")) as warehouse:
            yield Stage(World(warehouse, folder / "pipelines"), server, folder, now)


def _words(report: ModelReport) -> str:
    faults = {name: count for name, count in report.faults.items() if count}
    return f"verify_warehouse: {faults or report.notes or report.wrong_types} {report.examples}"


def sum_of_rows(warehouse: Warehouse, name: str, model: str) -> str:
    """Of every value, and whether a row is marked as deleted. How a deletion was proven no CRM can
    confirm."""
    dataset = warehouse.dataset(name)
    table = StoredTable.read(dataset, model).table
    if table is None:
        return "no table"
    with dataset.engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    rows = []
    for row in found:
        own = {name: value for name, value in row.items() if not name.startswith("_")}
        marks = (row.get("_deleted_at") is not None, row.get("_misfits"))
        rows.append(repr((sorted(own.items()), marks)))
    return sha256("\n".join(sorted(rows)).encode()).hexdigest()
