"""A Celery app with nothing around it."""

from __future__ import annotations

import os

from celery import Celery

from benchmarks.pool import runs

app = Celery("plain", broker=os.environ.get("BENCH_BROKER_URL", "memory://"))
app.conf.update(
    task_ignore_result=True, worker_prefetch_multiplier=1, task_default_queue="plain-bench"
)


@app.task(name="plain.work")
def work(milliseconds: float) -> None:
    runs.run(milliseconds)
