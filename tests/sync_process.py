"""Runs models of the fake CRM in a process of its own, which may be made to die on the way.

``python -m tests.sync_process WAREHOUSE_URL PIPELINES_DIR ROWS MODEL[,MODEL] [STEP]``: with a STEP
(``extract``, ``load``, ``loading``) the process kills itself there with SIGKILL.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ingestion.sync.common.run import ModelResult, SyncOptions
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from tests.fake_crm import FAKE, FakeSource, people


class Mortal:
    """A reporter that kills its process at a step; ``loading``: while the statements of the load run."""

    def __init__(self, step: str | None) -> None:
        self._dies_at = step
        self._is_loading = False

    def step(self, model: str, step: str) -> None:
        self._die_if(step)
        self._is_loading = step == "load"

    def advance(self, model: str, *, rows: int) -> None:
        self._die_if("extract")

    def check(self) -> None:
        if self._is_loading:
            self._die_if("loading")

    def check_known(self) -> None: ...

    def _die_if(self, step: str) -> None:
        if step == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, pipelines_dir: str, rows: str, models: str, step: str | None = None) -> None:
    source = FakeSource({name: people(int(rows)) for name in models.split(",")})
    warehouse = Warehouse(url)
    for name in models.split(","):
        run = Run(
            crm=FAKE,
            model=FAKE.model(name),
            source=source,
            options=SyncOptions(),
            warehouse=warehouse,
            pipelines_dir=Path(pipelines_dir),
            reporter=Mortal(step),
        )
        run_model(run, ModelResult(name))


if __name__ == "__main__":
    main(*sys.argv[1:])
