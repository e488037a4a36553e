"""A request that is sent twice is carried out once: its answer is kept for a day under its key."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ingestion.models import ApiAnswer
from ingestion.pool.errors import PoolError
from ingestion.pool.record import plain_json

KEPT = timedelta(days=1)
LONGEST_KEY = 100


class InvalidKey(PoolError, ValueError):
    """An idempotency key has 1 to 100 printable characters, and stands for one request."""

    code = "INVALID_IDEMPOTENCY_KEY"


class StillRunning(PoolError):
    """A request with this key is being carried out, or was broken off; look what became of it."""

    code = "IN_PROGRESS"


@dataclass(frozen=True)
class Reply:
    """What a caller is answered. ``is_repeated``: it was answered so before."""

    status: int
    body: Any
    is_repeated: bool = False


def once(caller: str, key: str, fingerprint: str, do: Callable[[], tuple[int, Any]]) -> Reply:
    """Do it, unless this caller had it done under this key: then the same answer again.

    ``fingerprint`` tells one request from another. What is refused is not kept: it may be tried
    again. Raises InvalidKey, StillRunning, and what ``do`` raises.
    """
    if not key.isprintable() or not 0 < len(key) <= LONGEST_KEY:
        raise InvalidKey
    taken = _take(caller, key, fingerprint)
    if taken is None:
        return _repeated(caller, key, fingerprint)
    try:
        status, body = do()
    except BaseException:
        taken.delete()
        raise
    ApiAnswer.objects.filter(pk=taken.pk).update(status=status, body=plain_json(body))
    return Reply(status, body)


def fingerprint(method: str, path: str, body: bytes) -> str:
    """What tells one request from another."""
    return hashlib.sha256(b"\n".join((method.encode(), path.encode(), body))).hexdigest()


def _take(caller: str, key: str, fingerprint: str) -> ApiAnswer | None:
    """None: somebody has the key already."""
    ApiAnswer.objects.filter(at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            return ApiAnswer.objects.create(caller=caller, key=key, fingerprint=fingerprint)
    except IntegrityError:
        return None


def _repeated(caller: str, key: str, fingerprint: str) -> Reply:
    kept = ApiAnswer.objects.filter(caller=caller, key=key).first()
    if kept is not None and kept.fingerprint != fingerprint:
        raise InvalidKey("This idempotency key was used for another request.")
    if kept is None or kept.status is None:
        raise StillRunning
    return Reply(kept.status, kept.body, is_repeated=True)
