"""A sync that does nothing but write down, line by line, that it does it.

``--max-records`` counts pages, ``--batch-size`` is a label; ``--force`` fails the first attempt
with an error that is worth another one. What these lines say is the truth that the pool is
measured against, so nothing here asks the pool anything but what every sync asks it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from celery import current_task

from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.run import ModelResult, SyncResult

PAGE_SECONDS = 0.05
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class ChaosSync(SyncCommand):
    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        model = ModelResult(self.sync_type)
        run.result = SyncResult(self.crm_source, self.sync_type, [model])
        # No real sync asks its CRM for anything before this.
        run.reporter.step(self.sync_type, "extract")
        attempt = write_down("start")
        how = "cut off"
        try:
            self._load(run, model, pages=options["max_records"] or 1)
            if options["force"] and attempt == 1:
                raise TransientError("the CRM answered 503")
            how = "done"
        except BaseException as stopped:
            how = type(stopped).__name__
            raise
        finally:
            write_down("end", how=how)

    def _load(self, run: RunHandle, model: ModelResult, *, pages: int) -> None:
        for _ in range(pages):
            time.sleep(PAGE_SECONDS)
            run.reporter.advance(self.sync_type, rows=1)
            # Here a real sync writes rows: nobody may who has lost the task to another.
            write_down("page")
            model.processed += 1
            model.created += 1


def write_down(what: str, **more: Any) -> int:
    """One line, written whole; the attempt that it is about. ``at`` is the machine's monotonic
    clock, the same for every process, in seconds."""
    who = current_task.request.kwargs
    line = {
        "what": what,
        "task_id": who["task_id"],
        "attempt": who["attempt"],
        "pid": os.getpid(),
        "group": os.getpgrp(),
        "at": time.monotonic(),
        "wall": time.time(),
        **more,
    }
    descriptor = os.open(os.environ["CHAOS_RUNS_FILE"], FLAGS, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)
    return int(who["attempt"])
