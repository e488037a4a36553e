"""What callers hand in: types that refuse what no door can use."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Header, Path, Query, Schema
from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, StringConstraints

from ingestion.api.security import caller
from ingestion.pool.task import PRIORITY_MAX, PRIORITY_MIN
from ingestion.services import charts, dashboard, freshness, idempotency

LARGEST_ID = 2**63 - 1
EARLIEST, LATEST = datetime(1971, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def storable(value: Any) -> Any:
    """Databases take neither NUL nor half of a character."""
    text = json.dumps(value, ensure_ascii=False)
    if "\\u0000" in text or "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise ValueError("must be text in Unicode") from problem
    return value


def _sensible(when: datetime) -> datetime:
    if not EARLIEST <= when <= LATEST:
        raise ValueError("must lie between the years 1971 and 9000")
    return when.astimezone(UTC)


Text = Annotated[str, AfterValidator(storable)]
Name = Annotated[str, StringConstraints(max_length=100), AfterValidator(storable)]
Reason = Annotated[str, StringConstraints(max_length=2000), AfterValidator(storable)]
Moment = Annotated[AwareDatetime, AfterValidator(_sensible)]
Parameters = Annotated[dict[str, Any], AfterValidator(storable)]
Priority = Annotated[int, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX, strict=True)]
Revision = Annotated[int, Field(ge=0, le=LARGEST_ID, strict=True)]
Limit = Annotated[int, Query(ge=1, le=200)]
HistoryId = Annotated[int, Path(ge=1, le=LARGEST_ID)]
TaskId = Annotated[str, Path(max_length=64)]
Cursor = Annotated[str, Query(max_length=300)]
Key = Annotated[str | None, Header(alias="Idempotency-Key", max_length=idempotency.LONGEST_KEY)]


class Given(Schema):
    """A body; what it does not know it refuses."""

    model_config = ConfigDict(extra="forbid")


class Why(Given):
    """A reason for the audit record."""

    reason: Reason = ""


class Seen(Why):
    """``expected_revision``: the task's revision as the caller saw it; another one is a 409."""

    expected_revision: Revision | None = None


def done(
    request: HttpRequest, key: str | None, do: Callable[[], dict[str, Any]], *, status: int = 200
) -> HttpResponse:
    """Carry out what changes something, once per idempotency key, and answer with its content.
    Who looks next sees it."""
    if key is None:
        reply = idempotency.Reply(status, do())
    else:
        reply = idempotency.once(
            caller(request).key, key, _fingerprint(request), partial(_with_status, do, status)
        )
    for shared in (dashboard.shared, charts.shared, freshness.shared):
        shared.forget()
    answer = JsonResponse(reply.body, status=reply.status)
    if reply.is_repeated:
        answer["Idempotent-Replay"] = "true"
    return answer


def _with_status(do: Callable[[], dict[str, Any]], status: int) -> tuple[int, dict[str, Any]]:
    return status, do()


def _fingerprint(request: HttpRequest) -> str:
    return idempotency.fingerprint(request.method or "", request.get_full_path(), request.body)
