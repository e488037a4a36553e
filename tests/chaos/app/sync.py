"""A sync that writes down, line by line, that it runs.

It does nothing else, or with CHAOS_SYNCS=real loads what there is into a warehouse. ``--max-records``
counts pages, ``--batch-size`` is a label; ``--force`` fails the first attempt with an error that is
worth another one. What these lines say is the truth that the pool is measured against, so nothing
here asks the pool anything but what every sync asks it.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

from celery import current_task

from ingestion.management.sync import SyncCommand
from ingestion.services.runs.runner import RunHandle
from ingestion.sync.common.errors import TransientError
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.run import ModelResult, SyncResult

PAGE_SECONDS = 0.05
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT


# A task of so many pages is there to hold a slot, which no real sync does for long.
HOLDS_A_SLOT = 1000


class ChaosSync(SyncCommand):
    def prepare(self) -> None:
        if os.environ.get("CHAOS_SYNCS") == "real":
            super().prepare()

    def handle(self, *args: Any, run: RunHandle, **options: Any) -> None:
        writer = Writer.of_this_task()
        pages = options["max_records"] or 1
        is_real = os.environ.get("CHAOS_SYNCS") == "real" and pages < HOLDS_A_SLOT
        if not is_real:
            # No real sync asks its CRM for anything before this.
            run.reporter.step(self.sync_type, "extract")
        writer.write("start")
        how = "cut off"
        try:
            if is_real:
                self._load_really(run, writer, {**options, "full": pages % 2 == 0})
            else:
                self._pretend(run, writer, pages=pages)
            if options["force"] and writer.attempt == 1:
                raise TransientError("the CRM answered 503")
            how = "done"
        except BaseException as stopped:
            how = type(stopped).__name__
            raise
        finally:
            writer.write("end", how=how)

    def _pretend(self, run: RunHandle, writer: Writer, *, pages: int) -> None:
        model = ModelResult(self.sync_type)
        run.result = SyncResult(self.crm_source, self.sync_type, [model])
        for _ in range(pages):
            time.sleep(PAGE_SECONDS)
            run.reporter.advance(self.sync_type, rows=1)
            # Here a real sync writes rows: nobody may who has lost the task to another.
            writer.write("page")
            model.processed += 1
            model.created += 1

    def _load_really(self, run: RunHandle, writer: Writer, options: dict[str, Any]) -> None:
        run.reporter = WritingReporter(run.reporter, writer)
        everything = {"max_records": None, "batch_size": None, "force": False}
        super().handle(run=run, **{**options, **everything})


@dataclass(frozen=True)
class Writer:
    """Writes down one attempt, from whichever thread."""

    task_id: str
    attempt: int

    @classmethod
    def of_this_task(cls) -> Writer:
        who = current_task.request.kwargs
        return cls(who["task_id"], int(who["attempt"]))

    def write(self, what: str, **more: Any) -> None:
        """One line, written whole. ``at`` is the machine's monotonic clock, the same for every
        process, in seconds."""
        line = {
            "what": what,
            "task_id": self.task_id,
            "attempt": self.attempt,
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


@dataclass
class WritingReporter:
    """Writes each page down once the pool has said that the sync may go on."""

    told: Reporter
    writer: Writer

    def step(self, model: str, step: str) -> None:
        self.told.step(model, step)

    def advance(self, model: str, *, rows: int) -> None:
        self.told.advance(model, rows=rows)
        self.writer.write("page")

    def check(self) -> None:
        self.told.check()

    def check_known(self) -> None:
        self.told.check_known()
