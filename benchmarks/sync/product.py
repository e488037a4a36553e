"""Syncs of ours from a MariaDB table: as it is now, and as release 06fed9c was.

``python -m benchmarks.sync.product SOURCE WAREHOUSE FOLDER`` runs a delta in a process that has just
been started.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

FIRST, FULL, DELTA = "first load", "full, nothing new", "delta, nothing new"
WARM, NEW = "the same again", "in a new process"
Phase = tuple[str, Callable[[], object]]


def product(source: str, warehouse: str, folder: Path) -> list[Phase]:
    from ingestion.sync.load.pipeline import run_model
    from ingestion.sync.load.run import Run

    def in_a_new_process() -> None:
        words = [
            sys.executable,
            "-m",
            "benchmarks.sync.product",
            source,
            warehouse,
            str(folder),
        ]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

    return [*_runs(Run, run_model, source, warehouse, folder), (NEW, in_a_new_process)]


def earlier_release(source: str, warehouse: str, folder: Path) -> list[Phase]:
    """With that release's folder on the path."""
    pipeline: Any = importlib.import_module("ingestion.sync.common.pipeline")
    runs = _runs(pipeline.Run, pipeline.run_model, source, warehouse, folder)
    return [(phase, run) for phase, run in runs if phase in (FIRST, FULL)]


def _runs(kind: Any, run_model: Any, source: str, warehouse: str, folder: Path) -> list[Phase]:
    from ingestion.sync.common.run import ModelResult, SyncOptions
    from ingestion.sync.common.source import Crm, SourceContext
    from ingestion.sync.common.warehouse import Warehouse
    from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
    from ingestion.sync.genius.source import Source

    model = GeniusModel("leads", table="lead", cursor="updated_at", incremental="cursor")
    crm = Crm("bench", "Bench", (model,), "all")

    def run(mode: Any) -> Any:
        opened = Source(SourceContext({DATABASE_URL: source, TIME_ZONE: "UTC"}))
        with closing(opened), closing(Warehouse(warehouse)) as target:
            asked = kind(crm, model, opened, SyncOptions(mode=mode), target, folder)
            return getattr(run_model(asked, ModelResult("leads")), "seconds", None)

    return [
        (FIRST, lambda: run("delta")),
        (FULL, lambda: run("full")),
        (DELTA, lambda: run("delta")),
        (WARM, lambda: run("delta")),
    ]


if __name__ == "__main__":
    source, warehouse, folder = sys.argv[1:]
    dict(product(source, warehouse, Path(folder)))[DELTA]()
