"""What the pool's verbs cost Redis while 1 000 tasks run: ``python -m benchmarks.capacity.measure``.

Starts a server of its own with an append-only file. Microseconds of the server's processor for each
call, reading and writing of the network included, as ``INFO cpu`` counts it: others on the machine
do not count, but make it slower by their share of its caches.
"""

from __future__ import annotations

import os
import sys
import tempfile
import uuid
from collections.abc import Callable
from pathlib import Path

import redis

RUNNING, HOSTS, CALLS = 1_000, 50, 900
CRMS = ("hubspot", "genius", "five9", "arrivy")


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.pool.settings")
    import django

    django.setup()
    from ingestion.services.system import embedded_redis

    with tempfile.TemporaryDirectory() as folder:
        server = embedded_redis.start(Path(folder), durable=True)
        try:
            for name, microseconds in measured(server.url(0), server.url(1)).items():
                print(f"{name:<24}{microseconds:>9.0f}")
        finally:
            server.stop()
    return 0


def measured(pool_url: str, broker_url: str) -> dict[str, float]:
    """By the names of ``Costs``."""
    from ingestion.pool.keys import PoolKeys
    from ingestion.pool.overlap import OnOverlap
    from ingestion.pool.redis.rebuild import RebuildableRedisStore
    from ingestion.pool.store import Outcome, PoolPolicy
    from ingestion.pool.task import TaskStatus, WorkerTask

    client = redis.Redis.from_url(pool_url)
    keys = PoolKeys("{capacity}:1:")
    made = RebuildableRedisStore(client, keys, PoolPolicy(default_max_workers=RUNNING))
    made.rebuild([], epoch=1, controls={})
    store = made.at(1)

    def a_task(number: int) -> WorkerTask:
        return WorkerTask(
            str(uuid.uuid4()),
            "ingestion.tasks.sync_hubspot_contacts",
            CRMS[number % len(CRMS)],
            "contacts",
        )

    def cost(call: Callable[[int], object], calls: int = CALLS) -> float:
        before = _processor_seconds(client)
        for number in range(calls):
            call(number)
        return 1e6 * (_processor_seconds(client) - before) / calls

    def tick(number: int) -> None:
        store.worker_seen(f"celery@{number % HOSTS}", capacity=RUNNING // HOSTS)
        store.reap()

    for host in range(HOSTS):
        tick(host)
    store.submit_many([(a_task(number), OnOverlap.ALLOW) for number in range(2 * RUNNING)])
    running: list[WorkerTask] = []
    while started := store.claim(token=uuid.uuid4().hex):
        running += started

    def finish(number: int) -> None:
        one, done = running[number], Outcome(TaskStatus.COMPLETED)
        store.finish(one.id, attempt=1, outcome=done, token=uuid.uuid4().hex)

    return {
        "redis_confirm_us": cost(
            lambda n: store.confirm(running[n].id, attempt=1, worker="celery@1", token=str(n))
        ),
        "redis_heartbeat_us": cost(lambda n: store.heartbeat(running[n].id, attempt=1)),
        "redis_admit_us": cost(lambda n: store.admit(a_task(n), token=uuid.uuid4().hex)),
        "redis_tick_us": cost(tick),
        "redis_snapshot_us": cost(lambda _: store.snapshot(), 50) / RUNNING,
        "redis_finish_us": cost(finish),
        "redis_ended_bytes": client.memory_usage(keys.task(running[0].id), samples=0) or 0,
        "redis_message_us": _message_cost(broker_url, cost),
    }


def _message_cost(broker_url: str, cost: Callable[[Callable[[int], object]], float]) -> float:
    from kombu import Connection

    with Connection(broker_url) as connection:
        queue = connection.SimpleQueue("capacity")
        body = {"task_id": uuid.uuid4().hex, "filler": "x" * 400}

        def send_and_take(_: int) -> None:
            queue.put(body)
            queue.get().ack()

        send_and_take(0)
        return cost(send_and_take)


def _processor_seconds(client: redis.Redis) -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


if __name__ == "__main__":
    sys.exit(main())
