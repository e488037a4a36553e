"""What endpoints answer: base and types of every schema, the refusals, and how JSON is sent.

A schema describes an answer and does not check it on its way out: JSON that an older version
stored is worth more to its reader than a 500. The tests hold every answer against its schema.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, JsonResponse
from django.utils.cache import add_never_cache_headers, get_conditional_response
from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from ingestion.services.infra.response_cache import Answer


class ResponseBody(BaseModel):
    """Fields without a default are always there."""

    model_config = ConfigDict(use_attribute_docstrings=True)


# In UTC, ISO 8601.
Time = datetime
# By a name, such as that of a CRM.
Counts = dict[str, int]


def one_of(values: Iterable[str]) -> FieldInfo:
    """A text of a closed list: ``Annotated[str, one_of(TaskStatus)]``."""
    return FieldInfo(json_schema_extra={"enum": [str(value) for value in values]})


class ErrorText(ResponseBody):
    """``code`` is for programs, ``message`` one sentence for people. ``fields``: what is wrong, by
    field, of something with many."""

    code: str
    message: str
    fields: dict[str, str] | None = None


class Refusal(ResponseBody):
    """Every refusal. ``present``: with a 409, how things stand now."""

    error: ErrorText
    present: dict[str, Any] | None = None


# What every endpoint may answer: not allowed, not understood, not now.
USUAL = (400, 401, 403, 422, 429, 503)


def documented(content: Any, *more: int, status: int = 200) -> dict[int, Any]:
    """The ``response`` of an endpoint: its content, and the refusals it may give."""
    return {status: content, **dict.fromkeys((*USUAL, *more), Refusal)}


def cached(content: Any) -> dict[int, Any]:
    """The ``response`` of an endpoint that answers by ``shared``."""
    return {**documented(content), 304: None}


def respond(content: Any) -> HttpResponse:
    """``content`` as it is; see above why no schema checks it."""
    return JsonResponse(content, safe=False)


def shared(request: HttpRequest, found: Answer) -> HttpResponse:
    """An answer that many read: 304 for whoever has it. No cache may store it, because another
    person may sit at the same browser next."""
    response: Any = HttpResponse(found.body, content_type="application/json; charset=utf-8")
    response = get_conditional_response(request, etag=found.etag, response=response) or response
    response["ETag"] = found.etag
    response["Data-Taken-At"] = found.taken_at.isoformat()
    if not isinstance(response, HttpResponseNotModified):
        add_never_cache_headers(response)
    response["Cache-Control"] = "private, no-cache"
    return response  # type: ignore[no-any-return]
