"""Answers that many readers want at the same moment: made once, by one of them."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ingestion.pool.errors import PoolError
from ingestion.services.infra.database import DATABASE_ERRORS

MOST_KEPT = 64


@dataclass(frozen=True)
class Answer:
    """JSON as it is sent. ``etag`` changes when the content does, whatever the clocks say."""

    body: bytes
    etag: str
    taken_at: datetime


def answer(body: bytes, *, steady: Mapping[str, Any], taken_at: datetime) -> Answer:
    """``steady`` is the content without what changes by itself as time goes by."""
    digest = hashlib.sha256(as_json(steady)).hexdigest()[:32]
    return Answer(body, f'"{digest}"', taken_at)


def as_json(content: Any) -> bytes:
    """As it is sent."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


@dataclass
class _Kept:
    lock: threading.Lock = field(default_factory=threading.Lock)
    made_at: float | None = None
    answer: Answer | None = None
    problem: Exception | None = None

    def is_fresh(self, now: float, seconds: float) -> bool:
        return self.made_at is not None and now - self.made_at < seconds

    def fill(self, make: Callable[[], Answer], clock: Callable[[], float]) -> None:
        """A refusal is shared too: a pool that is away must not be asked by everybody in turn."""
        self.answer = self.problem = None
        try:
            self.answer = make()
        except (PoolError, *DATABASE_ERRORS) as problem:
            self.problem = problem
        self.made_at = clock()

    def given(self) -> Answer:
        if self.answer is None:
            raise self.problem or LookupError("nothing was made")
        return self.answer


class SharedAnswers:
    """The answers of one process by key. Each is at most ``seconds`` old; whoever asks while it is
    made waits for it."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[Hashable, _Kept] = {}

    def get(self, key: Hashable, make: Callable[[], Answer]) -> Answer:
        """Raises what ``make`` raised: PoolError, DatabaseError."""
        kept = self._entry(key)
        with kept.lock:
            if not kept.is_fresh(self._clock(), self._seconds):
                kept.fill(make, self._clock)
            return kept.given()

    def forget(self) -> None:
        """Somebody has just changed something, and wants to see it."""
        with self._lock:
            self._kept.clear()

    def _entry(self, key: Hashable) -> _Kept:
        with self._lock:
            if len(self._kept) >= MOST_KEPT and key not in self._kept:
                self._kept.clear()
            return self._kept.setdefault(key, _Kept())
