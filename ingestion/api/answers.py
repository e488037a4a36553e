"""What doors answer with besides their own content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import add_never_cache_headers, get_conditional_response
from ninja import Schema

from ingestion.services.shared_answers import Answer


class ErrorText(Schema):
    """``code`` is for programs, ``message`` one sentence for people. ``fields``: what is wrong, by
    field, of something with many."""

    code: str
    message: str
    fields: dict[str, str] | None = None


class Error(Schema):
    """Every refusal. ``present`` tells with a 409 how things stand now."""

    error: ErrorText
    present: Any = None


# What every door may answer: not allowed, not understood, not now.
USUAL = (400, 401, 403, 422, 429, 503)


def documented(content: Any, *more: int, status: int = 200) -> dict[int, Any]:
    """The ``response`` of a door: its content, and the refusals it may give."""
    return {status: content, **dict.fromkeys((*USUAL, *more), Error)}


def shared(request: HttpRequest, found: Answer) -> HttpResponse:
    """An answer that many read: 304 for whoever has it. It is kept nowhere else, because another
    person may sit at the same browser next."""
    response: Any = HttpResponse(found.body, content_type="application/json; charset=utf-8")
    response = get_conditional_response(request, etag=found.etag, response=response) or response
    response["ETag"] = found.etag
    response["Data-Taken-At"] = found.taken_at.isoformat()
    if not isinstance(response, HttpResponseNotModified):
        add_never_cache_headers(response)
    response["Cache-Control"] = "private, no-cache"
    return response  # type: ignore[no-any-return]
