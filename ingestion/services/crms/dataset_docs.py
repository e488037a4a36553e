"""``docs/datasets.md``: every table of the warehouse and every setting, written from the CRM folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from ingestion.services.scheduling.standard import STANDARD
from ingestion.sync.common.names import column_name
from ingestion.sync.common.registry import load_source
from ingestion.sync.common.source import Crm, Model, Setting

FILE = Path("docs") / "datasets.md"
HEAD = """\
# Datasets

Written by `manage.py makedatasets` from the folders under `ingestion/sync/`; do not edit it.

A CRM is a dataset: a schema of its name in PostgreSQL, a file of its own in SQLite
(`warehouse__hubspot.sqlite3` beside `warehouse.sqlite3`). A model is a table in it. Names are those
of the warehouse; the table `_columns` of a dataset says which field feeds which column. Besides the
columns of the CRM a table has `_synced_at` and `_run_id` (when and by which run the row was written),
`_deleted_at` (when it was found to be gone), `_deleted_proof` (how: `reported` by the CRM; `merged_into` another record; `looked_up`: absent
from a query of all keys, or from all of its owner's; `two_scans`: absent from two complete passes; `unproven`: by an
earlier release) and `_row_hash`; where a value did not fit its column, `_misfits`; where a
record or a CRM has more fields than the warehouse takes, `_overflow`. `_misfits` has by column the value and
the reason: `too_long`, `out_of_range`, `not_a_number`, `not_whole`, `not_exact` (a double does not hold it),
`not_a_bool`, `not_a_date`, `has_a_time`, `not_a_time`, `not_json`, `not_text` or `not_binary`; entries of older
releases are the value alone. Records that could not be loaded
stand in `_rejected`, the watermarks in `_watermarks`. In SQLite a decimal is an integer or a double where
that is the same number, else a text.

`sync_<dataset>_<table>` loads one table, `sync_<dataset>_all` all of a dataset; the schedule is that of
the standard set, which `manage.py load_schedules --set standard` makes. The README of each CRM says
where its facts come from and what a real account still has to settle. The [glossary](glossary.md)
explains the words.
"""
GONE = {
    "told": "told by the CRM",
    "never": "none, unless noted",
}
UNITS = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def text(crms: Iterable[Crm]) -> str:
    return "\n".join([HEAD, *(_section(crm) for crm in crms)])


def is_stale(base_dir: Path, crms: Iterable[Crm]) -> bool:
    path = base_dir / FILE
    return not path.exists() or path.read_text() != text(crms)


def write(base_dir: Path, crms: Iterable[Crm]) -> None:
    path = base_dir / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text(crms))


def _section(crm: Crm) -> str:
    readme = f"../ingestion/sync/{crm.name}/README.md"
    lists_keys = hasattr(load_source(crm.name), "keys")
    return "\n".join(
        [
            f"## {crm.title} (`{crm.name}`)\n",
            f"[README]({readme})\n",
            *_table(
                ("table", "key", "cursor", "read", "deletions", "schedule", "note"),
                (
                    _model_cells(model, _schedule(crm, model), lists_keys=lists_keys)
                    for model in crm.models
                ),
            ),
            *_table(
                ("setting", "needed", "default", "what it is"),
                (_setting_cells(setting) for setting in crm.settings),
            ),
        ]
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row("---" for _ in head).replace(" ", "")
    yield from (_row(cell.replace("|", "\\|") for cell in row) for row in rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _schedule(crm: Crm, model: Model) -> str:
    """Its own in the standard set, or that of all models of its CRM."""
    every_minutes = {s.model_name: s.every_minutes for s in STANDARD if s.crm_source == crm.name}
    for name in (model.name, "all"):
        if name in every_minutes:
            return f"every {_duration(60 * every_minutes[name])}"
    return ""


def _model_cells(model: Model, schedule: str, *, lists_keys: bool) -> tuple[str, ...]:
    return (
        f"`{column_name(model.name)}`",
        ", ".join(f"`{column_name(name)}`" for name in model.key),
        f"`{column_name(model.cursor)}`" if model.cursor else "",
        _reading(model),
        _deletions(model, lists_keys=lists_keys),
        schedule,
        model.note,
    )


def _reading(model: Model) -> str:
    before = f"{_duration(model.overlap_seconds)} before " if model.overlap_seconds else ""
    match model.incremental:
        case "cursor":
            return f"from {before}the highest cursor on"
        case "run_start":
            return f"what changed since {before}the last run began"
        case "full":
            return "whole, in every run"


def _duration(seconds: float) -> str:
    """In the largest unit that gives a whole number."""
    name, length = next(unit for unit in UNITS if seconds % unit[1] == 0 or unit[1] == 1)
    count = seconds / length
    return f"{count:g} {name}" + ("" if count == 1 else "s")


def _deletions(model: Model, *, lists_keys: bool) -> str:
    """A run that reads all there is, or lists the keys of it, marks what is gone."""
    if model.deletions != "full_run":
        return GONE[model.deletions]
    every_run = lists_keys or model.incremental == "full"
    return "marked by every run" if every_run else "marked by `--full` at the latest"


def _setting_cells(setting: Setting) -> tuple[str, ...]:
    needed = "yes" if setting.required else ""
    return (
        f"`{setting.name}`",
        f"{needed}, secret".removeprefix(", ") if setting.secret else needed,
        f"`{setting.default}`" if setting.default else "",
        setting.help,
    )
