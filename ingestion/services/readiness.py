"""Whether this installation can take and run syncs: database, cache, broker, a worker.

Written out instead of django-health-check: that answers 500 and one text per check, asks Celery by
a broadcast that always waits its full time, and names hosts in what it shows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from celery import current_app
from django.db import DatabaseError, connection
from kombu.exceptions import OperationalError

from ingestion.models import SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.worker_pool import get_worker_pool

logger = logging.getLogger(__name__)

PART_SECONDS = 2


class NotReady(Exception):
    """A part does not do its work; the message is for everybody, without hosts and secrets."""


@dataclass(frozen=True)
class Part:
    """One part; ``why`` is empty while it is fine."""

    ok: bool
    why: str = ""


@dataclass(frozen=True)
class Readiness:
    parts: Mapping[str, Part]

    @property
    def is_ready(self) -> bool:
        return all(part.ok for part in self.parts.values())

    def to_dict(self) -> dict[str, Any]:
        """``{"schema", "ready", "parts": {name: {"ok", "why"}}}``."""
        parts = {name: {"ok": part.ok, "why": part.why} for name, part in self.parts.items()}
        return {"schema": 1, "ready": self.is_ready, "parts": parts}


class Probe:
    """Asks one part in a thread of its own, because no client bounds each of its waits.

    A question that is still open is shared by everybody who asks meanwhile: a server that hangs
    costs one thread, however often an orchestrator asks.
    """

    def __init__(self, question: Callable[[], None]) -> None:
        self._question = question
        self._lock = threading.Lock()
        self._open: Future[Part] | None = None

    def ask(self) -> Future[Part]:
        with self._lock:
            if self._open is None or self._open.done():
                self._open = self._start()
            return self._open

    def _start(self) -> Future[Part]:
        answer: Future[Part] = Future()
        threading.Thread(target=self._answer, args=(answer,), daemon=True).start()
        return answer

    def _answer(self, answer: Future[Part]) -> None:
        try:
            self._question()
        except NotReady as problem:
            answer.set_result(Part(ok=False, why=str(problem)))
        except Exception:
            logger.exception("a readiness check broke")
            answer.set_result(Part(ok=False, why="the check itself failed; the log says why"))
        else:
            answer.set_result(Part(ok=True))


def readiness(
    probes: Mapping[str, Probe] | None = None, *, seconds: float = PART_SECONDS
) -> Readiness:
    """Asks all parts at once; takes at most ``seconds``."""
    deadline = time.monotonic() + seconds
    asked = {name: probe.ask() for name, probe in (probes or PROBES).items()}
    return Readiness({name: _within(answer, deadline) for name, answer in asked.items()})


def _within(answer: Future[Part], deadline: float) -> Part:
    try:
        return answer.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Part(ok=False, why="no answer in time")


def _database() -> None:
    """The ledger's table can be read, so the migrations have run too."""
    try:
        SyncHistory.objects.exists()
    except DatabaseError as problem:
        raise NotReady(f"the database cannot be read ({type(problem).__name__})") from problem
    finally:
        connection.close()


def _cache() -> None:
    """While the ledger decides in Redis's place syncs are taken and run, but this part is away."""
    try:
        is_degraded = get_worker_pool().peek().degraded
    except PoolUnavailable as problem:
        raise NotReady("the Redis server of the pool does not answer") from problem
    finally:
        connection.close()
    if is_degraded:
        raise NotReady("the pool is degraded: Redis or the database does not answer")


def _broker() -> None:
    """A message could be published now: the connection that sending uses can be opened."""
    try:
        with current_app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=PART_SECONDS)
    except (OperationalError, OSError) as problem:
        raise NotReady("the broker takes no connection") from problem


def _worker() -> None:
    try:
        workers = get_worker_pool().peek().workers
    except PoolUnavailable as problem:
        raise NotReady("unknown while the Redis server of the pool does not answer") from problem
    finally:
        connection.close()
    if not any(worker.is_online for worker in workers):
        raise NotReady("no Celery worker has given a sign of life")


PROBES: Mapping[str, Probe] = {
    "database": Probe(_database),
    "cache": Probe(_cache),
    "broker": Probe(_broker),
    "worker": Probe(_worker),
}
