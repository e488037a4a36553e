"""Sends claimed tasks to the Celery workers."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from typing import Any, Protocol

from celery import current_app
from kombu.pools import ProducerPool

from ingestion.pool.task import WorkerTask

logger = logging.getLogger(__name__)

SEND_SECONDS = 0.7
MOST_CONNECTIONS = 4


class Send(Protocol):
    """Hands one task to the broker, in bounded time; raises whatever went wrong."""

    def __call__(self, task: WorkerTask) -> None: ...


def send(task: WorkerTask) -> None:
    """A message carries only who and which attempt; the worker reads the rest from the pool."""
    post(
        task.task_name,
        kwargs={"task_id": task.id, "attempt": task.attempt},
        task_id=task.celery_task_id,
    )


def post(task_name: str, **options: Any) -> None:
    """Celery's ``send_task`` in bounded time; raises whatever went wrong, kombu's own faults too.

    No retry and no result: with either, a call may block for long or send the same message twice.
    """
    with _producers().acquire(block=True, timeout=SEND_SECONDS) as producer:
        current_app.send_task(
            task_name, producer=producer, retry=False, ignore_result=True, **options
        )


# By process id: a forked child opens connections of its own.
_pools: dict[int, ProducerPool] = {}


def _producers() -> ProducerPool:
    """Connections that give up soon: a worker's own waits longer for its next message."""
    pid = os.getpid()
    if pid not in _pools:
        link = current_app.connection_for_write(
            connect_timeout=SEND_SECONDS, transport_options=_in_short_order()
        )
        _pools.clear()
        _pools[pid] = ProducerPool(link.Pool(limit=MOST_CONNECTIONS), limit=MOST_CONNECTIONS)
    return _pools[pid]


def _in_short_order() -> dict[str, object]:
    """Each step of a connection is bounded, and none is tried twice. The names are those of
    kombu's transports: redis and sentinel, and py-amqp."""
    usual = dict(current_app.conf.broker_transport_options or {})
    if current_app.connection_for_write().transport_cls.startswith(("redis", "sentinel")):
        steps = {"socket_timeout": SEND_SECONDS, "socket_connect_timeout": SEND_SECONDS}
    else:
        steps = {"read_timeout": SEND_SECONDS, "write_timeout": SEND_SECONDS}
    return {**usual, **steps, "max_retries": 0}


def send_all(tasks: Iterable[WorkerTask], *, send: Send) -> int:
    """Send until one fails; how many were sent.

    A send that raised may have been delivered all the same, so its task stays RUNNING and
    unconfirmed and is sent again by the next round of repairs. So are those behind it: a broker
    that is down would make the caller wait once per task.
    """
    sent = 0
    for task in tasks:
        try:
            send(task)
        except Exception:
            logger.warning(
                "task %s attempt %d: sending failed, it will be sent again",
                task.id,
                task.attempt,
                exc_info=True,
            )
            break
        logger.info("task %s attempt %d sent as %s", task.id, task.attempt, task.task_name)
        sent += 1
    return sent
