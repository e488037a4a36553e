"""Types of requests, which refuse what no endpoint can use; and how a change is carried out once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import Header, Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from ingestion.api.http.closed import refuse_unknown
from ingestion.api.http.security import caller
from ingestion.deprecated_names import with_old_keys
from ingestion.pool.change import ChangeRequest
from ingestion.pool.task import PRIORITY_MAX, PRIORITY_MIN
from ingestion.services.freshness import datasets
from ingestion.services.infra import idempotency
from ingestion.services.reporting import charts, dashboard

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


class RequestBody(BaseModel):
    """Fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _is_known(cls, fields: Any) -> Any:
        """What ``extra`` refuses too, but without a list of what is known."""
        if isinstance(fields, dict):
            refuse_unknown(fields, cls.model_fields)
        return fields


class ReasonBody(RequestBody):
    """A reason for the audit record."""

    reason: Reason = ""

    def change(self, request: HttpRequest) -> ChangeRequest:
        """What the caller asks for."""
        return ChangeRequest(by=caller(request).name, reason=self.reason)


class RevisionBody(ReasonBody):
    """``expected_revision``: the task's revision as the caller saw it; another one is a 409."""

    expected_revision: Revision | None = None

    def change(self, request: HttpRequest) -> ChangeRequest:
        return super().change(request).seen_at(self.expected_revision)


def perform(
    request: HttpRequest,
    key: str | None,
    action: Callable[[], dict[str, Any]],
    *,
    status: int = 200,
) -> HttpResponse:
    """Carry out what changes something, once per idempotency key, and answer with its content.
    The next reader sees the change."""
    if key is None:
        reply = idempotency.Reply(status, with_old_keys(action()))
    else:
        reply = idempotency.once(
            caller(request).key, key, _fingerprint(request), partial(_with_status, action, status)
        )
    for shared in (dashboard.shared, charts.shared, datasets.shared):
        shared.forget()
    response = JsonResponse(reply.body, status=reply.status)
    if reply.is_repeated:
        response["Idempotent-Replay"] = "true"
    return response


def _with_status(action: Callable[[], dict[str, Any]], status: int) -> tuple[int, dict[str, Any]]:
    return status, with_old_keys(action())


def _fingerprint(request: HttpRequest) -> str:
    return idempotency.fingerprint(request.method or "", request.get_full_path(), request.body)
