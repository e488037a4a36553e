"""Where a page of a list ends, as a text that a caller hands back to get the next one."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

from django.db.models import Model, Q, QuerySet

from ingestion.pool.errors import PoolError


class InvalidCursor(PoolError, ValueError):
    """This is no cursor of this list."""

    code = "INVALID_CURSOR"


def encode(at: datetime, pk: int) -> str:
    text = json.dumps([at.astimezone(UTC).isoformat(), pk])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, int]:
    """Raises InvalidCursor."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        at, pk = json.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
        when = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, RecursionError) as problem:
        raise InvalidCursor("This is no cursor of this list.") from problem
    if type(pk) is not int or not 0 <= pk < 2**63:
        raise InvalidCursor("This is no cursor of this list.")
    return when, pk


def page(
    rows: QuerySet[Any], *, by: str, cursor: str | None, limit: int
) -> tuple[list[Any], str | None]:
    """The latest rows by the time ``by`` that come after the cursor, and the cursor of the next
    page; None at the end. Raises InvalidCursor."""
    if cursor:
        at, pk = decode(cursor)
        rows = rows.filter(Q(**{f"{by}__lt": at}) | Q(**{by: at, "pk__lt": pk}))
    found: list[Model] = list(rows.order_by(f"-{by}", "-pk")[: limit + 1])
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    return found[:limit], encode(getattr(last, by), last.pk)
