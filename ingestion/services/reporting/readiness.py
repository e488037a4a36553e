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
from django.db import connection
from kombu.exceptions import OperationalError

from ingestion.models import SyncHistory
from ingestion.pool.errors import PoolUnavailable
from ingestion.pool.snapshot import PoolSnapshot
from ingestion.services.infra import preparation
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.infra.preparation import DEPLOY
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
    """``notes``: what is not prepared yet, and keeps nothing from working."""

    parts: Mapping[str, Part]
    notes: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        return all(part.ok for part in self.parts.values())

    def to_dict(self) -> dict[str, Any]:
        """``{"schema", "ready", "parts": {name: {"ok", "why"}}, "missing": [sentence]}``."""
        parts = {name: {"ok": part.ok, "why": part.why} for name, part in self.parts.items()}
        broken = [f"{name}: {part.why}" for name, part in self.parts.items() if not part.ok]
        missing = [*broken, *self.notes]
        return {"schema": 1, "ready": self.is_ready, "parts": parts, "missing": missing}


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
    prepared = PREPARED.ask()
    parts = {name: _within(answer, deadline) for name, answer in asked.items()}
    why = _within(prepared, deadline).why if all(part.ok for part in parts.values()) else ""
    return Readiness(parts, notes=(why,) if why else ())


def _within(answer: Future[Part], deadline: float) -> Part:
    try:
        return answer.result(timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError:
        return Part(ok=False, why="no answer in time")


def _database() -> None:
    """The ledger's table can be read, and every migration that this code knows has run."""
    try:
        SyncHistory.objects.exists()
        _once("migrations", _migrated)
    except DATABASE_ERRORS as problem:
        raise NotReady(
            f"the database cannot be read ({type(problem).__name__}); has {DEPLOY} run?"
        ) from problem
    finally:
        connection.close()


# What was found done stays done while this process lives.
_done: set[str] = set()


def _once(name: str, question: Callable[[], None]) -> None:
    if name not in _done:
        question()
        _done.add(name)


def _migrated() -> None:
    if missing := preparation.unapplied_migrations():
        raise NotReady(f"{len(missing)} migrations have not run; run {DEPLOY}")


def _prepared() -> None:
    try:
        _once("static files", _collected)
        _once("account", _administered)
    finally:
        connection.close()


def _collected() -> None:
    if missing := preparation.uncollected_files():
        raise NotReady(f"static files: {len(missing)} are not collected; run {DEPLOY}")


def _administered() -> None:
    if not preparation.has_administrator():
        raise NotReady(f"account: nobody can administer the site; run {DEPLOY}")


def _cache() -> None:
    """While the ledger decides in Redis's place syncs are taken and run, but this part is away."""
    if _pool("the Redis server of the pool does not answer").degraded:
        raise NotReady("the pool is degraded: Redis or the database does not answer")


def _broker() -> None:
    """A message could be published now: the connection that sending uses can be opened."""
    try:
        with current_app.connection_for_write() as link:
            link.ensure_connection(max_retries=1, timeout=PART_SECONDS)
    except (OperationalError, OSError) as problem:
        raise NotReady("the broker takes no connection") from problem


def _worker() -> None:
    pool = _pool("unknown while the Redis server of the pool does not answer")
    if any(worker.is_online for worker in pool.workers):
        return
    if pool.degraded and not pool.workers:
        raise NotReady("unknown: no worker has reported yet since the pool is degraded")
    raise NotReady("no Celery worker has given a sign of life")


def _pool(unless: str) -> PoolSnapshot:
    """Raises NotReady with ``unless`` while the pool cannot be asked."""
    try:
        return get_worker_pool().peek()
    except PoolUnavailable as problem:
        raise NotReady(unless) from problem
    finally:
        connection.close()


PREPARED = Probe(_prepared)
PROBES: Mapping[str, Probe] = {
    "database": Probe(_database),
    "cache": Probe(_cache),
    "broker": Probe(_broker),
    "worker": Probe(_worker),
}
