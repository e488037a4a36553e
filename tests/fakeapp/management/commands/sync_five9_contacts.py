"""A sync that takes its time, writes down when it ran, and fails in the way it is told.

``--max-records`` counts steps of a tenth of a second (FAKE_STEP_SECONDS). ``--batch-size`` is only a label, so that a
test knows whose run it sees.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.run import ModelResult, SyncResult

STEP_SECONDS = float(os.environ.get("FAKE_STEP_SECONDS", "0.1"))


class Command(SyncCommand):
    crm_source = "five9"
    sync_type = "contacts"

    def prepare(self) -> None:
        """It loads nothing."""

    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        label = options["batch_size"] or 0
        model = ModelResult("contacts")
        run.result = SyncResult("five9", "contacts", [model])
        write_down("start", label)
        try:
            self._sync(run, model, options)
            write_down("whole", label)
        finally:
            write_down("end", label)

    def _sync(self, run: RunHandle, model: ModelResult, options: dict[str, Any]) -> None:
        for _ in range(options["max_records"] or 1):
            time.sleep(STEP_SECONDS)
            model.processed += 1
            model.created += 1
            run.reporter.advance("contacts", rows=1)
        if options["force"]:
            raise TransientError("Five9 answered 503, password=hunter2222")
        if options["full"]:
            sys.exit(3)


def write_down(what: str, label: int) -> None:
    line = json.dumps({"what": what, "label": label, "pid": os.getpid(), "at": time.time()})
    with Path(os.environ["RUNS_FILE"]).open("a") as runs:
        runs.write(line + "\n")
