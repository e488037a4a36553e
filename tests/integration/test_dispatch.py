"""Sending a message takes a bounded time, whatever the broker does."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError

from ingestion.pool.task import WorkerTask
from ingestion.services.system import embedded_redis
from ingestion.services.system.embedded_redis import EmbeddedRedis
from ingestion.services.tasks import dispatch

pytestmark = pytest.mark.redis

LONGEST_SECONDS = 1.5
TASK = WorkerTask(
    id="t1",
    task_name="ingestion.tasks.sync_five9_contacts",
    crm_source="five9",
    sync_type="contacts",
    attempt=1,
    celery_task_id="t1.1",
)


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedRedis]:
    server = embedded_redis.start(tmp_path, durable=False)
    monkeypatch.setenv("CELERY_BROKER_URL", server.url(0))
    monkeypatch.setattr(dispatch, "_pools", {})
    dispatch.send(TASK)
    yield server
    server.process.send_signal(signal.SIGCONT)
    server.stop()


def refused_in() -> float:
    began = time.monotonic()
    with pytest.raises(OperationalError):
        dispatch.send(TASK)
    return time.monotonic() - began


def test_a_broker_that_does_not_answer(broker: EmbeddedRedis) -> None:
    broker.process.send_signal(signal.SIGSTOP)
    assert max(refused_in() for _ in range(3)) < LONGEST_SECONDS
    broker.process.send_signal(signal.SIGCONT)
    dispatch.send(TASK)


def test_a_broker_that_is_gone(broker: EmbeddedRedis) -> None:
    broker.stop()
    assert max(refused_in() for _ in range(3)) < LONGEST_SECONDS
