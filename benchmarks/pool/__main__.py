"""Runs the rounds and prints the table."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from statistics import median

from kombu import Connection

from benchmarks import pool
from benchmarks.pool import runs
from benchmarks.pool.living import WARM_UP
from benchmarks.pool.plain import app
from benchmarks.pool.submitting import CONTENDERS
from benchmarks.pool.world import World, world

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
CELERY = "Celery"
START_SECONDS = 6.0  # until every process has imported what it needs
SLOTS = 2
POLL_SECONDS = 0.2
MANY = 5  # times as many where they are submitted at once


@dataclass(frozen=True)
class Figure:
    """``cpu_ms`` of each task; ``gaps`` between the end of a task and the next start in its slot,
    in milliseconds: the median and the 99th percentile."""

    per_second: float
    cpu_ms: float
    gaps: tuple[float, float] | None = None


def submissions(made: World, contender: str, *, count: int, processes: int) -> Figure:
    begin_at = time.time() + START_SECONDS
    words = ["-m", "benchmarks.pool.submitting", contender, str(count), str(begin_at)]
    running = [
        subprocess.Popen([sys.executable, *words], env=made.env, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    told = [json.loads(one.communicate()[0].splitlines()[-1]) for one in running]
    seconds = max(one["ended"] for one in told) - min(one["began"] for one in told)
    total = count * processes
    return Figure(total / seconds, 1000 * sum(one["cpu"] for one in told) / total)


def lives(made: World, *, count: int, milliseconds: int) -> Figure:
    with made.worker("data_warehouse", processes=SLOTS):
        asked = f"max_records={milliseconds}" if milliseconds else ""
        made.run("-m", "benchmarks.pool.living", str(count), asked)
    return Figure(*runs.read(made.runs_file, last=count, slots=SLOTS))


def plain_lives(made: World, *, count: int, milliseconds: int) -> Figure:
    made.runs_file.write_text("")
    with Connection(made.broker_url) as connection, connection.Producer() as producer:
        for _ in range(WARM_UP + count):
            app.send_task("plain.work", args=[milliseconds], producer=producer)
    with made.worker("benchmarks.pool.plain", processes=SLOTS):
        while len(made.runs_file.read_text().splitlines()) < WARM_UP + count:
            time.sleep(POLL_SECONDS)
    return Figure(*runs.read(made.runs_file, last=count, slots=SLOTS))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pool", description=pool.__doc__)
    parser.add_argument("--postgres", default=POSTGRES)
    parser.add_argument("--sqlite", action="store_true", help="the ledger is a SQLite file")
    parser.add_argument("--count", type=int, default=1000, help="submissions of a process")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--lives", type=int, default=400, help="tasks that are run")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    figures: dict[tuple[str, str], list[Figure]] = defaultdict(list)
    for _ in range(asked.rounds):
        for processes in asked.processes:
            for contender in CONTENDERS:
                times = 1 if "many" not in contender else MANY
                with world(None if asked.sqlite else asked.postgres) as made:
                    found = submissions(
                        made, contender, count=times * asked.count, processes=processes
                    )
                figures[f"submit, processes: {processes}", contender].append(found)
        for milliseconds in (0, 10):
            name = f"run, milliseconds: {milliseconds}"
            with world(None if asked.sqlite else asked.postgres) as made:
                if not asked.sqlite:
                    figures[name, "pool"].append(
                        lives(made, count=asked.lives, milliseconds=milliseconds)
                    )
                figures[name, CELERY].append(
                    plain_lives(made, count=5 * asked.lives, milliseconds=milliseconds)
                )
    _print(figures)


def _print(figures: dict[tuple[str, str], list[Figure]]) -> None:
    print(f"{'':26}{'':20}{'per s':>8}{'÷ Celery':>10}{'CPU ms':>8}{'gap p50 / p99 ms':>20}")
    for (measure, contender), found in figures.items():
        usual = median(one.per_second for one in figures[measure, CELERY])
        rate = median(one.per_second for one in found)
        cpu = median(one.cpu_ms for one in found)
        gaps = [one.gaps for one in found if one.gaps]
        shown = (
            " / ".join(f"{median(part):.1f}" for part in zip(*gaps, strict=True)) if gaps else ""
        )
        print(f"{measure:26}{contender:20}{rate:8.0f}{rate / usual:10.2f}{cpu:8.2f}{shown:>20}")


if __name__ == "__main__":
    main()
