"""Syncs from a CRM's sandbox, with changes between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from tests.crms.world import sandboxes
from tests.mutants.lives.stage import Life, Stage
from tests.mutants.outcome import Outcome
from tests.truth.sandboxed import ROWS, source_class
from tests.truth.world import World

# In SQL for the sandbox's database: a cursor of the future, none, and one that many rows have, of
# rows that change later or come then.
CHANGES: Mapping[str, str] = {
    "odd": "UPDATE lead SET updated_at = CASE lead_id % 4 WHEN 0 THEN '2100-01-01 00:00:00.000000'"
    " WHEN 1 THEN NULL WHEN 2 THEN '2026-01-01 00:00:00.000000' ELSE updated_at END",
    "edit": "UPDATE lead SET job_type = 'later' WHERE lead_id % 4 < 2",
    "equal": "UPDATE lead SET updated_at = '2026-01-01 00:00:00.000000'",
    "edit all at once": "UPDATE lead SET job_type = 'later',"
    " updated_at = (SELECT max(updated_at) FROM lead)",
}


def life(
    crm: str,
    model: str,
    *steps: str,
    rows: int = ROWS,
    behavior: Mapping[str, Any] | None = None,
    **settings: str,
) -> Life:
    """``steps``: ``tick`` changes some records; a number shows so many of them from now on, and
    ``all`` all; a name of CHANGES changes the database; the others are modes of a sync.
    ``behavior``: attributes of the sandbox."""

    def played(stage: Stage) -> Outcome:
        with sandboxes(crm, folder=stage.folder / "sandbox", rows=rows) as server:
            sandbox, minutes = server.sandboxes.by_name[crm], stage.minutes()
            for name, value in (behavior or {}).items():
                setattr(sandbox, name, value)
            stage.world.use(crm, {**server.settings, **settings})
            shown = Shown(stage.world)
            for step in steps:
                if step == "tick":
                    sandbox.tick(next(minutes))
                elif step.isdecimal():
                    shown.only(int(step))
                elif step == "all":
                    shown.all()
                elif step in CHANGES:
                    _execute(server.settings["GENIUS_DATABASE_URL"], CHANGES[step])
                else:
                    stage.sync(model, step)
            return stage.outcome(model)

    return played


def _execute(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


class Shown:
    """What the source of a world shows of its records."""

    def __init__(self, world: World) -> None:
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


# What changed between two runs is found, and what has gone.
_FULL = ("full", "tick", "full")
_DELTAS = ("full", "tick", "delta", "tick", "delta")
# Where a full run alone finds what has gone.
_DELTAS_AND_FULL = (*_DELTAS, "tick", "full")
LIVES: Mapping[str, Life] = {
    "arrivy.tasks": life("arrivy", "tasks", *_DELTAS_AND_FULL),
    "callrail.calls": life("callrail", "calls", *_DELTAS),
    "callrail.call_tags": life("callrail", "call_tags", *_DELTAS),
    "callrail.webhooks": life("callrail", "webhooks", *_FULL),
    "callrail.integrations": life("callrail", "integrations", *_FULL),
    "five9.contacts": life("five9", "contacts", *_FULL),
    **{
        f"genius.{model}": life("genius", model, "full")
        for model in ("appointments", "jobs", "job_change_orders", "change_order_items")
    },
    "genius.leads": life("genius", "leads", *_DELTAS),
    "genius.leads odd": life(
        "genius",
        "leads",
        *("odd", "full", "tick", "delta", "edit", "delta", "tick", "delta"),
    ),
    "genius.leads equal": life(
        "genius", "leads", "equal", "full", "tick", "delta", "edit all at once", "delta", rows=60
    ),
    "genius.leads hidden": life("genius", "leads", "full", "0", "delta", "2", "delta", "all"),
    "gsheet.leads": life("gsheet", "leads", *_FULL),
    "gsheet.spends": life("gsheet", "spends", *_FULL),
    "hubspot.contacts": life("hubspot", "contacts", *_DELTAS),
    "hubspot.owners": life("hubspot", "owners", *_FULL),
    "hubspot.associations": life("hubspot", "associations", *_DELTAS),
    "hubspot.associations in pages": life(
        "hubspot", "associations", *_FULL, behavior={"association_page": 1}
    ),
    "leadconduit.leads": life("leadconduit", "leads", *_DELTAS),
    "marketsharp.contacts": life("marketsharp", "contacts", *_DELTAS_AND_FULL, rows=60),
    "salespro.jobs": life("salespro", "jobs", *_FULL),
    "salespro.jobs lake": life("salespro", "jobs", *_DELTAS_AND_FULL, SALESPRO_BACKEND="athena"),
    "salesrabbit.leads": life("salesrabbit", "leads", *_DELTAS_AND_FULL),
    # What a run without any record, or with too few, must not mark is there again at the end.
    "salesrabbit.leads hidden": life(
        "salesrabbit", "leads", "full", "0", "full", "2", "full", "all"
    ),
}
