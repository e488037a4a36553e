"""A hundred thousand tasks wait: whoever looks costs Redis what he does where a few wait."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from redis import Redis

from ingestion.models import SyncHistory
from ingestion.pool.overlap import OnOverlap
from ingestion.pool.queue_place import READY, QueuePlace
from ingestion.pool.record import TaskRecord
from ingestion.pool.redis.rebuild import RebuildableRedisStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask, utc_now
from ingestion.services.reporting import dashboard
from ingestion.services.requests.submission import Submission
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.services.waiting.run_times import run_times
from ingestion.services.worker_pool import WorkerPoolService, use_worker_pool
from tests.contract.stores import own_keys
from tests.unit.people import forget_answers, program
from tests.unit.pool_shell import manage

pytestmark = [pytest.mark.redis, pytest.mark.slow, pytest.mark.django_db]

CRMS = ("hubspot", "genius", "five9", "arrivy")
FEW, MANY = 2_000, 100_000
# The page of a merged queue is found by halving, in so many steps, in the queue of each CRM.
MOST_STEPS = 60 * len(CRMS)
RUN_SECONDS = 60


def waiting(count: int) -> list[WorkerTask]:
    """Submitted one every second."""
    now = utc_now()
    return [
        WorkerTask(
            str(uuid.UUID(int=n)),
            "ingestion.tasks.sync_hubspot_contacts",
            CRMS[n % len(CRMS)],
            "contacts",
            queued_at=now - timedelta(seconds=count - n),
        )
        for n in range(count)
    ]


@pytest.fixture
def redis(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    client = Redis.from_url(redis_server.url(5))
    yield client
    client.close()


@pytest.fixture
def pool(redis: Redis) -> Iterator[WorkerPoolService]:
    """Two slots, none taken, and paused; past runs of every CRM took a minute."""
    end = timezone.now() - timedelta(hours=1)
    start = end - timedelta(seconds=RUN_SECONDS)
    SyncHistory.objects.bulk_create(
        SyncHistory(
            crm_source=crm, sync_type="contacts", status="success", start_time=start, end_time=end
        )
        for crm in CRMS
        for _ in range(100)
    )
    forget_answers()
    run_times.forget()
    with own_keys(redis) as keys:
        store = RebuildableRedisStore(redis, keys, PoolPolicy())
        service = WorkerPoolService(store, send=lambda task: None)
        service.worker_tick("celery@test", capacity=4)
        with use_worker_pool(service):
            yield service
    forget_answers()
    run_times.forget()


def fill(pool: WorkerPoolService, tasks: list[WorkerTask]) -> None:
    store: Any = pool.store
    store.rebuild(map(TaskRecord, tasks), epoch=1, controls={})


def looks(
    pool: WorkerPoolService, client: Client, tasks: list[WorkerTask]
) -> dict[str, Callable[[], Any]]:
    """By name; each is at the far end of the queue where it can be."""
    last = tasks[-1]
    score = pool.controls().priority_aging.rule.place_of(tasks[-60])[0]
    behind = QueuePlace(READY, score, 0, "-").to_text()
    end = len(tasks) - 50
    new = Submission("arrivy", "tasks")
    coalescing = Submission("hubspot", "contacts", on_overlap=OnOverlap.COALESCE)

    def page(query: str) -> Any:
        answer = client.get(f"/api/tasks?{query}")
        assert answer.status_code == 200
        return answer

    def live(offset: int) -> Any:
        dashboard.shared.forget()
        return dashboard.live(pool, queue_offset=offset, queue_limit=50)

    return {
        "status": lambda: manage("status", "--json"),
        "explain": lambda: pool.explain(last.id),
        "forecast": lambda: pool.forecast(new),
        "forecast of a repetition": lambda: pool.forecast(coalescing),
        "first page of the API": lambda: page("limit=50"),
        "last page of the API": lambda: page(f"limit=50&cursor={behind}"),
        "filtered page of the API": lambda: page("crm_source=hubspot&limit=50"),
        "first page of the dashboard": lambda: live(0),
        "last page of the dashboard": lambda: live(end),
        "list-tasks": lambda: manage("list-tasks", "--json"),
        "end of list-tasks": lambda: manage("list-tasks", "--json", "--cursor", behind),
        "filtered list-tasks": lambda: manage("list-tasks", "--crm", "genius", "--json"),
        "one task": lambda: page(f"limit=1&cursor={behind}"),
    }


class Seen:
    """What Redis has done since."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._client.config_resetstat()

    def calls(self) -> dict[str, int]:
        stats: dict[str, Any] = self._client.info("commandstats")
        return {name.removeprefix("cmdstat_"): found["calls"] for name, found in stats.items()}


def costs(
    redis: Redis, pool: WorkerPoolService, client: Client, count: int
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """How many commands each look costs, but for the steps of halving; and all of its commands."""
    tasks = waiting(count)
    fill(pool, tasks)
    found, calls = dict[str, int](), dict[str, dict[str, int]]()
    for name, look in looks(pool, client, tasks).items():
        look()  # what is learned once
        seen = Seen(redis)
        look()
        calls[name] = seen.calls()
        steps = calls[name].pop("zcount", 0)
        assert steps <= MOST_STEPS + 100, name
        found[name] = sum(calls[name].values())
    return found, calls


def test_looks_cost_the_same_however_many_wait(redis: Redis, pool: WorkerPoolService) -> None:
    pool.pause()
    client = program("read")
    few, _ = costs(redis, pool, client, FEW)
    many, calls = costs(redis, pool, client, MANY)
    assert many == few
    # Each task that is read is one HGETALL, the head of a filtered list two; configuration and
    # counters are some more.
    read = {name: found.get("hgetall", 0) for name, found in calls.items()}
    assert max(read.values()) <= 500 + 100 + 10, read
    writes = {"hset", "zadd", "zrem", "set", "del", "hdel", "hincrby", "sadd", "srem", "unlink"}
    assert {name for name, found in calls.items() if found.keys() & writes} == set()


def test_a_task_far_back_has_its_place_and_its_start(redis: Redis, pool: WorkerPoolService) -> None:
    tasks = waiting(MANY)
    fill(pool, tasks)
    found = pool.explain(tasks[-1].id)
    assert (found.position, found.reason.code) == (MANY, "pool_full")
    assert found.start is not None
    at = utc_now()
    earliest, latest = (
        (end - at).total_seconds() for end in (found.start.earliest, found.start.latest)
    )
    assert earliest < MANY * RUN_SECONDS / 2 < latest < 1.5 * earliest
    assert not pool.snapshot().degraded


def test_all_are_still_given_to_an_export(redis: Redis, pool: WorkerPoolService) -> None:
    tasks = waiting(FEW)
    fill(pool, tasks)
    assert [task.id for task in pool.get_queued_tasks()] == [task.id for task in tasks]
    shape = manage("list-tasks", "--all", "--json").shape
    assert len(shape["queued"]) == FEW
