"""A real load of made-up rows, which gets stuck in its load step while a file tells it to."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from ingestion.conf import warehouse_conf
from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import ModelResult, SyncOptions, SyncResult
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.load.run import Run
from tests.fake_crm import FAKE, LEADS, FakeSource, people
from tests.fakeapp.management.commands.sync_five9_contacts import write_down
from tests.fakeapp.stuck import hold_the_interpreter


class Stopper:
    """Passes on what it is told, and gets stuck while the statements of the load run."""

    def __init__(self, reporter: Reporter, label: int) -> None:
        self._reporter = reporter
        self._label = label
        self._is_loading = False

    def step(self, model: str, step: str) -> None:
        self._is_loading = step == "load"
        self._reporter.step(model, step)

    def advance(self, model: str, *, rows: int) -> None:
        self._reporter.advance(model, rows=rows)

    def check(self) -> None:
        if self._is_loading and Path(os.environ["STUCK_FILE"]).exists():
            write_down("loading", self._label)
            hold_the_interpreter()
        self._reporter.check()

    def check_known(self) -> None:
        self._reporter.check_known()


class Command(SyncCommand):
    crm_source, sync_type = "callrail", "trackers"

    def prepare(self) -> None:
        """It loads nothing."""

    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        model = ModelResult(LEADS.name)
        run.result = SyncResult(self.crm_source, self.sync_type, [model])
        conf = warehouse_conf()
        with closing(Warehouse(conf.url)) as warehouse:
            run_model(
                Run(
                    crm=FAKE,
                    model=LEADS,
                    source=FakeSource({LEADS.name: people(options["max_records"])}),
                    options=SyncOptions(),
                    warehouse=warehouse,
                    pipelines_dir=conf.pipelines_dir,
                    lock_wait_seconds=conf.lock_wait_seconds,
                    reporter=Stopper(run.reporter, options["batch_size"] or 0),
                ),
                model,
            )
