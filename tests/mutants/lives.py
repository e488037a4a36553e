"""What a table goes through while a mutation is tried: syncs from a CRM's sandbox, changes between them,
and verification at the end. Nothing of the syncs is imported before a life begins."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa

BATCH = 10


@dataclass(frozen=True)
class Life:
    """``limit``: Five9's of records in an answer. ``steps``: in place of its area's. ``is_warned``: a run is rightly partial."""

    crm: str
    model: str
    settings: tuple[tuple[str, str], ...] = ()
    limit: int = 0
    steps: tuple[str, ...] = ()
    is_warned: bool = False

    @property
    def name(self) -> str:
        return " ".join([f"{self.crm}.{self.model}", *self.steps])


@dataclass(frozen=True)
class Outcome:
    """``warning``: why a run was partial. ``noticed``: what verification says; None: equal.
    ``rows``: a sum over the table's values."""

    warning: str | None
    noticed: str | None
    rows: str


@dataclass(frozen=True)
class Area:
    """``files``: with the beginning of the names of functions and classes; ``lives``: by what a path
    begins with, the longest counts."""

    files: tuple[tuple[str, str], ...]
    lives: Mapping[str, tuple[Life, ...]]
    steps: tuple[str, ...]

    def lives_of(self, path: str) -> tuple[Life, ...]:
        return self.lives[max((p for p in self.lives if path.startswith(p)), key=len)]

    @property
    def all_lives(self) -> tuple[Life, ...]:
        return tuple(dict.fromkeys(life for lives in self.lives.values() for life in lives))


_SYNC = "ingestion/sync"
_LAKE = (("SALESPRO_BACKEND", "athena"),)
_FIVE9 = Life("five9", "contacts", (("FIVE9_RECORD_LIMIT", "10"),), limit=10)
_GENIUS = Life("genius", "leads")
_CONTACTS = Life("hubspot", "contacts")
_CALLS = Life("callrail", "calls")
_EVENTS = Life("leadconduit", "leads")
_RABBIT = Life("salesrabbit", "leads")
_CUSTOMERS = Life("salespro", "customers")
_TASKS = Life("arrivy", "tasks")
_SHEET = Life("gsheet", "leads")
_SHARP = Life("marketsharp", "contacts")
_LAKE_JOBS = Life("salespro", "jobs", _LAKE)
# What a run without any record, or with too few, must not mark is there again when it is verified.
_HIDING = (
    Life("salesrabbit", "leads", steps=("full", "0", "full", "2", "full", "all"), is_warned=True),
    Life("genius", "leads", steps=("full", "0", "delta", "2", "delta", "all"), is_warned=True),
)
# A cursor of the future, none, and one that many rows have, of rows that change later or come then.
_ODD_CURSORS = Life(
    "genius", "leads", steps=("odd", "full", "tick", "delta", "edit", "delta", "tick", "delta")
)
# In SQL for the sandbox's database.
CHANGES: Mapping[str, str] = {
    "odd": "UPDATE lead SET updated_at = CASE lead_id % 4 WHEN 0 THEN '2100-01-01 00:00:00.000000'"
    " WHEN 1 THEN NULL WHEN 2 THEN '2026-01-01 00:00:00.000000' ELSE updated_at END",
    "edit": "UPDATE lead SET job_type = 'later' WHERE lead_id % 4 < 2",
}

AREAS: Mapping[str, Area] = {
    "paging": Area(
        files=(
            (f"{_SYNC}/http/overlap.py", ""),
            (f"{_SYNC}/http/pagination.py", ""),
            (f"{_SYNC}/hubspot/api.py", "HubspotApi"),
            (f"{_SYNC}/five9/division.py", ""),
            (f"{_SYNC}/genius/keyset.py", ""),
            (f"{_SYNC}/gsheet/tab.py", ""),
            (f"{_SYNC}/salespro/athena.py", "AthenaBackend._results"),
            (f"{_SYNC}/leadconduit/source.py", "Source"),
            (f"{_SYNC}/marketsharp/source.py", "Source"),
            (f"{_SYNC}/arrivy/source.py", "Source"),
        ),
        lives={
            f"{_SYNC}/http/overlap": (_RABBIT, _CALLS, _CUSTOMERS),
            f"{_SYNC}/http/pagination": (_CONTACTS, _SHARP),
            f"{_SYNC}/hubspot": (_CONTACTS,),
            f"{_SYNC}/five9": (_FIVE9,),
            f"{_SYNC}/genius": (_GENIUS,),
            f"{_SYNC}/gsheet": (_SHEET,),
            f"{_SYNC}/salespro": (_LAKE_JOBS,),
            f"{_SYNC}/leadconduit": (_EVENTS,),
            f"{_SYNC}/marketsharp": (_SHARP,),
            f"{_SYNC}/arrivy": (_TASKS,),
        },
        steps=("full", "tick", "full"),
    ),
    "deletions": Area(
        files=(
            (f"{_SYNC}/load/absent.py", ""),
            (f"{_SYNC}/load/keys.py", ""),
            (f"{_SYNC}/load/owners.py", ""),
            (f"{_SYNC}/load/merge.py", "Merge.mark"),
            (f"{_SYNC}/load/merge.py", "Merge._is_absent"),
        ),
        lives={
            f"{_SYNC}/load": (
                *(_CONTACTS, _RABBIT, _GENIUS, _CALLS),
                *_HIDING,
            )
        },
        steps=("full", "tick", "delta", "tick", "full"),
    ),
    "watermark": Area(
        files=((f"{_SYNC}/common/window.py", ""), (f"{_SYNC}/load/reading.py", "Reading")),
        lives={f"{_SYNC}/": (_ODD_CURSORS, _CONTACTS, _GENIUS, _EVENTS)},
        steps=("full", "tick", "delta", "tick", "delta"),
    ),
    "converter": Area(
        files=(
            (f"{_SYNC}/common/values.py", ""),
            (f"{_SYNC}/http/amounts.py", ""),
            (f"{_SYNC}/gsheet/cells.py", ""),
            (f"{_SYNC}/gsheet/locale.py", ""),
            (f"{_SYNC}/five9/fields.py", ""),
            (f"{_SYNC}/hubspot/values.py", ""),
            (f"{_SYNC}/salespro/times.py", ""),
            (f"{_SYNC}/marketsharp/odata.py", ""),
            (f"{_SYNC}/callrail/rows.py", ""),
        ),
        lives={
            f"{_SYNC}/common": (_CALLS, _FIVE9, _SHEET, _GENIUS),
            f"{_SYNC}/http": (_CALLS,),
            f"{_SYNC}/gsheet": (_SHEET, Life("gsheet", "spends")),
            f"{_SYNC}/five9": (_FIVE9,),
            f"{_SYNC}/hubspot": (_CONTACTS,),
            f"{_SYNC}/salespro": (_LAKE_JOBS, Life("salespro", "jobs")),
            f"{_SYNC}/marketsharp": (_SHARP,),
            f"{_SYNC}/callrail": (_CALLS, Life("callrail", "call_tags")),
        },
        steps=("full",),
    ),
}


def lived(life: Life, steps: Sequence[str], ticks: Sequence[datetime]) -> Outcome:
    """Raises what a sync raises."""
    from ingestion.sync.common.rate_limit import ProcessRateLimiter
    from ingestion.sync.common.warehouse import Warehouse
    from tests.crms.world import sandboxes
    from tests.truth.sandboxed import ROWS, verified
    from tests.truth.world import World

    ProcessRateLimiter.reserve = lambda self, rate: 0.0  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        folder = Path(name)
        with closing(Warehouse(f"sqlite:///{folder}/warehouse.sqlite3")) as warehouse:
            world = World(warehouse, folder / "pipelines")
            with sandboxes(life.crm, folder=folder / "sandbox", rows=ROWS) as server:
                world.use(life.crm, {**server.settings, **dict(life.settings)})
                warning = _played(life, world, server, life.steps or steps, ticks)
                report = verified(world, life.model)
                words = None if report.is_equal else f"verify_warehouse: {_words(report)}"
                return Outcome(warning, words, words or _sum_of(world, life.model))


def _played(life: Life, world: Any, server: Any, steps: Sequence[str], ticks: Any) -> str | None:
    """The warning of the last run that had one. A number as a step: so many records are shown."""
    sandbox, at = server.sandboxes.by_name[life.crm], iter(ticks)
    shown = Shown(world)
    if life.limit:
        sandbox.behavior.record_limit = life.limit
    warnings = []
    for step in steps:
        if step == "tick":
            sandbox.tick(next(at))
        elif step.isdecimal():
            shown.only(int(step))
        elif step == "all":
            shown.all()
        elif step in CHANGES:
            with sa.create_engine(server.settings["GENIUS_DATABASE_URL"]).begin() as connection:
                connection.execute(sa.text(CHANGES[step]))
        else:
            warnings.append(world.sync(life.model, mode=step, batch_size=BATCH).warning)
    found = [warning for warning in warnings if warning]
    return found[-1][:200] if found else None


class Shown:
    """What the source of a world shows of its records."""

    def __init__(self, world: Any) -> None:
        from tests.truth.sandboxed import source_class

        self.kind = source_class(world)
        names = ("pages", "key_ranges", "keys_in")
        self.whole = {name: getattr(self.kind, name) for name in names if hasattr(self.kind, name)}

    def all(self) -> None:
        for name, method in self.whole.items():
            setattr(self.kind, name, method)

    def only(self, count: int) -> None:
        """Its first ones, and among its keys too."""
        whole = self.whole

        def pages(source: Any, *asked: Any, **options: Any) -> Iterator[Any]:
            left = count
            for page in whole["pages"](source, *asked, **options):
                records = list(page.records)[:left]
                left -= len(records)
                yield replace(page, records=records)

        def key_ranges(source: Any, *asked: Any) -> Iterator[Any]:
            found = whole["key_ranges"](source, *asked)
            return (replace(keys, count=count) for keys in found if count)

        def keys_in(source: Any, *asked: Any) -> Iterator[Any]:
            left = count
            for records in whole["keys_in"](source, *asked):
                yield records[:left]
                left -= len(records[:left])

        less = {"pages": pages, "key_ranges": key_ranges, "keys_in": keys_in}
        for name in whole:
            setattr(self.kind, name, less[name])


def _words(report: Any) -> str:
    faults = {name: count for name, count in report.faults.items() if count}
    return str(faults or report.notes or report.wrong_types)


def _sum_of(world: Any, model: str) -> str:
    from ingestion.sync.load.tables.stored import StoredTable

    dataset = world.warehouse.dataset(world.name)
    table = StoredTable.read(dataset, model).table
    if table is None:
        return "no table"
    with dataset.engine.connect() as connection:
        found = [dict(row) for row in connection.execute(sa.select(table)).mappings()]
    rows = []
    for row in found:
        own = {name: value for name, value in row.items() if not name.startswith("_")}
        # How a deletion was proven no CRM can confirm.
        marks = (row.get("_deleted_at") is not None, row.get("_misfits"))
        rows.append(repr((sorted(own.items()), marks)))
    return sha256("\n".join(sorted(rows)).encode()).hexdigest()
