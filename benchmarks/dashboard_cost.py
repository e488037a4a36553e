"""What the dashboard's answer costs with a long queue, compared with an empty pool.

    .venv/bin/python -m benchmarks.dashboard_cost [--tasks 100000] [--rounds 60] [--profile]

Starts a Redis server and a ledger of its own, in a temporary folder, and measures the answer that is
made again: by the service alone, and as a whole request with its login. The last lines give the ratios
of the medians, and those of the work, which is what this process and Redis have computed for one answer:
neighbours on a busy machine do not count in it. A goal is missed above ``MOST``; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from ingestion.models import SyncHistory
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.redis_cache import redis_client
from ingestion.services.reporting import dashboard
from ingestion.services.requests.routing import routes
from ingestion.services.system import embedded_redis
from ingestion.services.worker_pool import get_worker_pool

MOST = 2.0
LARGEST_BYTES = 64 * 1024
# Runs of the past, so that expected starts are learned and results are shown.
PAST_RUNS = 3000
BATCH = 5000
# What the page asks for, and what a program gets that does not say.
PAGE = 25
PROFILED_CALLS = 40


@dataclass(frozen=True)
class Time:
    """Seconds for one answer: the median by the clock, and the mean of the work."""

    median: float
    work: float


@dataclass(frozen=True)
class Cost:
    """Of one answer; ``size`` is that of the largest in bytes."""

    made: Time
    request: Time
    size: int


def main() -> int:
    options = _options()
    return _measured(options) if options.inside else _in_a_system_of_its_own()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--profile", action="store_true", help="print what takes the time")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_a_system_of_its_own() -> int:
    """The same program once more, with settings that lead to nothing of this installation."""
    with tempfile.TemporaryDirectory(prefix="dashboard-cost-") as folder:
        data = Path(folder) / "redis"
        data.mkdir()
        redis = embedded_redis.start(data, durable=False)
        own = {
            "DATABASE_URL": os.environ.get("BENCHMARK_DATABASE_URL", f"sqlite:///{folder}/ledger"),
            "CACHE_URL": redis.url(1),
            "CELERY_BROKER_URL": redis.url(0),
            "VAR_DIR": f"{folder}/var",
            "LOG_DIR": f"{folder}/logs",
            "DOTENV_FILE": os.devnull,
        }
        try:
            return subprocess.call(
                [sys.executable, "-m", "benchmarks.dashboard_cost", *sys.argv[1:], "--inside"],
                env={**os.environ, **own},
            )
        finally:
            redis.stop()


def _measured(options: argparse.Namespace) -> int:
    call_command("migrate", verbosity=0)
    _past_runs()
    _worker_tick()
    empty = _cost(options.rounds)
    _queue(options.tasks)
    full = _cost(options.rounds)
    if options.profile:
        _profile()
    return _told(empty, full, options.tasks)


def _worker_tick() -> None:
    get_worker_pool().worker_tick("celery@benchmark", capacity=8)


def _past_runs() -> None:
    now, kinds = timezone.now(), list(routes())
    SyncHistory.objects.bulk_create(
        SyncHistory(
            crm_source=kinds[n % len(kinds)][0],
            sync_type=kinds[n % len(kinds)][1],
            status="success",
            start_time=now - timedelta(minutes=n + 3),
            end_time=now - timedelta(minutes=n + 1, seconds=n % 90),
        )
        for n in range(PAST_RUNS)
    )


def _queue(number: int) -> None:
    """Tasks of every route, in the ledger and in Redis; the pool starts what it may."""
    pool, kinds = get_worker_pool(), list(routes())
    for start in range(0, number, BATCH):
        tasks = [_task(kinds[n % len(kinds)]) for n in range(start, min(number, start + BATCH))]
        SyncHistory.objects.bulk_create(
            SyncHistory(
                crm_source=task.crm_source,
                sync_type=task.sync_type,
                status="queued",
                worker_pool_task_id=task.id,
                configuration={"parameters": task.parameters},
            )
            for task in tasks
        )
        pool.store.restore(tasks)
    _worker_tick()
    print(f"{pool.peek().queued_count} tasks wait, {pool.peek().active_count} run")


def _task(route: tuple[str, str]) -> WorkerTask:
    crm_source, sync_type = route
    name = f"ingestion.tasks.sync_{crm_source}_{sync_type}"
    return WorkerTask(str(uuid4()), name, crm_source, sync_type, {"max_records": 1000})


def _cost(rounds: int) -> Cost:
    client = Client()
    client.force_login(_reader())
    ask = partial(_ask, client)
    return Cost(_time(_make, rounds), _time(ask, rounds), max(_make(), ask()))


def _reader() -> object:
    return get_user_model().objects.get_or_create(username="reader", is_superuser=True)[0]


def _make() -> int:
    """Bytes of the answer."""
    dashboard.shared.forget()
    return len(dashboard.live(get_worker_pool(), queue_offset=0, queue_limit=PAGE).body)


def _ask(client: Client) -> int:
    """Bytes of the answer."""
    dashboard.shared.forget()
    answer = client.get(f"/api/dashboard?queue_limit={PAGE}", HTTP_HOST="localhost")
    if answer.status_code != 200:
        raise SystemExit(f"The dashboard answered {answer.status_code}: {answer.content[:300]!r}")
    return len(answer.content)


def _time(do: Callable[[], object], rounds: int) -> Time:
    do()  # what is only done the first time
    before = _work()
    seconds = list(_seconds(do, rounds))
    return Time(median(seconds), (_work() - before) / rounds)


def _seconds(do: Callable[[], object], rounds: int) -> Iterator[float]:
    for _ in range(rounds):
        began = time.perf_counter()
        do()
        yield time.perf_counter() - began


def _work() -> float:
    """Seconds of processors that this process and its Redis have used so far."""
    of_redis = redis_client().info("cpu")
    redis_seconds = float(of_redis["used_cpu_user"]) + float(of_redis["used_cpu_sys"])
    return time.process_time() + redis_seconds


def _profile() -> None:
    profile = cProfile.Profile()
    with profile:
        for _ in range(PROFILED_CALLS):
            _make()
    pstats.Stats(profile).sort_stats("tottime").print_stats(45)


def _told(empty: Cost, full: Cost, tasks: int) -> int:
    ratios = []
    for what, kind in product(("made", "request"), ("median", "work")):
        before, after = (getattr(getattr(cost, what), kind) for cost in (empty, full))
        ratios.append(after / before)
        print(
            f"{what}, {kind}: empty {1000 * before:.2f} ms, {tasks} queued {1000 * after:.2f} ms, "
            f"ratio {after / before:.2f}"
        )
    print(f"largest answer: {full.size} bytes of {LARGEST_BYTES}")
    return int(max(ratios) > MOST or full.size > LARGEST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
