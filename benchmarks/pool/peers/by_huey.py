"""huey: https://huey.readthedocs.io/en/latest/guide.html."""

from __future__ import annotations

import os

from huey import RedisHuey

from benchmarks.pool import runs

queue = RedisHuey("bench", url=os.environ["BENCH_BROKER_URL"], results=False)


@queue.task()
def work(milliseconds: float) -> None:
    runs.run(milliseconds)


def submit(count: int, milliseconds: float = 0) -> None:
    for _ in range(count):
        work(milliseconds)
