"""What the dashboard costs Redis: the same for one reader and fifty, for an empty queue and a full one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from redis import Redis

from ingestion.conf import pool_conf
from ingestion.models import SyncHistory
from ingestion.pool.keys import PoolKeys
from ingestion.pool.redis.store import RedisPoolStore
from ingestion.pool.store import PoolPolicy
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.response_cache import SharedAnswers
from ingestion.services.reporting import dashboard
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.people import forget_answers

pytestmark = pytest.mark.redis


@pytest.fixture
def client(redis_server: EmbeddedRedis) -> Iterator[Redis]:
    client = Redis.from_url(redis_server.url(7), protocol=2)
    client.flushdb()
    yield client
    client.close()


@pytest.fixture
def pool(client: Redis, db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerPoolService]:
    """Its answers do not grow old by themselves, and its repairs are never due."""
    forget_answers()
    monkeypatch.setattr(dashboard, "shared", SharedAnswers(3600))
    store = RedisPoolStore(client, PoolKeys("{dw}:1:"), PoolPolicy())
    conf = replace(pool_conf(), lease_seconds=86_400)
    service = WorkerPoolService(store, conf=conf, send=lambda task: None)
    service.worker_tick("celery@test", capacity=4)
    return service


def commands(client: Redis, pool: WorkerPoolService, *, readers: int) -> int:
    """How many commands Redis was sent while so many looked."""
    dashboard.shared.forget()
    before = client.info("stats")["total_commands_processed"]
    for _ in range(readers):
        dashboard.live(pool, queue_offset=0, queue_limit=50)
    return int(client.info("stats")["total_commands_processed"]) - before


def queue(pool: WorkerPoolService, number: int) -> None:
    for n in range(number):
        pool.store.submit(WorkerTask(f"id {n:05}", "t", "hubspot", "deals"))


def test_fifty_readers_cost_what_one_costs(client: Redis, pool: WorkerPoolService) -> None:
    queue(pool, 60)
    commands(client, pool, readers=1)  # the script is known from here on
    alone = commands(client, pool, readers=1)
    assert commands(client, pool, readers=50) == alone


def test_a_full_queue_is_read_as_far_as_the_page_goes(
    client: Redis, pool: WorkerPoolService
) -> None:
    """Commands and bytes, whatever stands behind the page, in ten queues."""
    for n in range(400):
        crm = f"crm{n % 10}"
        pool.store.submit(WorkerTask(f"id {n:05}", "t", crm, "deals", {"max_records": 100}))
    commands(client, pool, readers=1)
    asked = commands(client, pool, readers=1)
    sent = bytes_sent(client, pool)
    assert asked < 25 + 3 * 10 + 40
    for n in range(400, 4400):
        crm = f"crm{n % 10}"
        pool.store.submit(WorkerTask(f"id {n:05}", "t", crm, "deals", {"max_records": 100}))
    assert commands(client, pool, readers=1) == asked
    assert bytes_sent(client, pool) <= sent + 100  # numbers with more digits
    assert len(dashboard.live(pool, queue_offset=0, queue_limit=100).body) <= 64 * 1024


def bytes_sent(client: Redis, pool: WorkerPoolService) -> int:
    """What Redis answers for one look."""
    dashboard.shared.forget()
    before = client.info("stats")["total_net_output_bytes"]
    middle = client.info("stats")["total_net_output_bytes"]
    dashboard.live(pool, queue_offset=0, queue_limit=25)
    after = client.info("stats")["total_net_output_bytes"]
    return int(after - middle) - int(middle - before)


def test_no_query_reads_the_whole_history(pool: WorkerPoolService) -> None:
    """Each finds its rows by an index: tasks that wait have a row too."""
    now = timezone.now()
    SyncHistory.objects.bulk_create(
        [
            *(SyncHistory(crm_source="five9", sync_type="contacts", status="queued",
                          worker_pool_task_id=str(n)) for n in range(500)),
            *(SyncHistory(crm_source="five9", sync_type="contacts", status="success",
                          start_time=now, end_time=now) for n in range(20)),
        ]
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    dashboard.shared.forget()
    with CaptureQueriesContext(connection) as queries:
        dashboard.live(pool, queue_offset=0, queue_limit=25)
    asked = [q["sql"] for q in queries.captured_queries if q["sql"].startswith("SELECT")]
    assert len(asked) >= 3
    for query in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query}")
            plan = [str(step[-1]) for step in cursor.fetchall()]
        assert not [step for step in plan if step.startswith("SCAN")], (plan, query)


def test_a_longer_queue_costs_no_more(client: Redis, pool: WorkerPoolService) -> None:
    queue(pool, 100)
    commands(client, pool, readers=1)
    short = commands(client, pool, readers=1)
    for n in range(100, 1100):
        pool.store.submit(WorkerTask(f"id {n:05}", "t", "hubspot", "deals"))
    assert commands(client, pool, readers=1) == short
