"""Every refusal in one form: ``{"error": {"code", "message"}}``, with a status that fits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.db import DatabaseError, DataError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ingestion.pool.errors import Conflict, Overlaps, PoolError, PoolUnavailable
from ingestion.services.scheduling.errors import InvalidSchedule
from ingestion.services.security.secrets import mask

CODES = {
    400: "BAD_REQUEST",
    401: "NOT_LOGGED_IN",
    403: "NOT_ALLOWED",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    422: "INVALID_INPUT",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_ERROR",
    503: "UNAVAILABLE",
}
SENTENCES = {
    400: "The request cannot be read.",
    401: "Log in, or send a valid token as 'Authorization: Bearer TOKEN'.",
    403: "This is not allowed.",
    404: "There is no such thing here; see /api/docs.",
    405: "This address does not take this method; see /api/docs.",
    413: "The request is too large.",
    429: "Too many requests; try again later.",
    500: "Something broke here; the log shows what.",
    503: "The service cannot be used now; try again.",
}
LEDGER_AWAY = "The database of the ledger cannot be used now."
MOST_FIELDS = 10


class Refused(Exception):
    """An endpoint refuses. ``present``: how things stand now, for a caller that expected otherwise."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = ""

    retry_after_seconds: int | None = None

    def __init__(self, message: str, *, present: Any = None) -> None:
        super().__init__(message)
        self.present = present


class NotAllowed(Refused):
    """The caller is known and lacks the right."""

    status, code = 403, "NOT_ALLOWED"


class CsrfFailed(Refused):
    """A browser's request did not prove that it comes from one of our pages."""

    status, code = 403, "CSRF_FAILED"


class NotFound(Refused):
    """There is no such thing."""

    status, code = 404, "NOT_FOUND"


class Stale(Refused):
    """Things are not as the caller saw them."""

    status, code = 409, "CONFLICT"


class Busy(Refused):
    """One at a time."""

    status, code = 429, "BUSY"


class TooMany(Refused):
    """This caller asks too often."""

    status, code = 429, "TOO_MANY_REQUESTS"

    def __init__(self, *, wait_seconds: float) -> None:
        self.retry_after_seconds = max(1, math.ceil(wait_seconds))
        super().__init__(f"Too many requests; try again in {self.retry_after_seconds} s.")


def answer(
    status: int,
    code: str = "",
    message: str = "",
    *,
    present: Any = None,
    fields: Mapping[str, str] | None = None,
) -> HttpResponse:
    """What is left out follows from the status."""
    # Our own sentences hold no secret, and the mask would take the example of a header for one.
    sentence = mask(message) if message else SENTENCES.get(status, "The request was refused.")
    error: dict[str, Any] = {"code": code or CODES.get(status, "ERROR"), "message": sentence}
    if fields:
        error["fields"] = {name: mask(why) for name, why in fields.items()}
    body = {"error": error} if present is None else {"error": error, "present": present}
    return JsonResponse(body, status=status)


def status_of(problem: PoolError) -> int:
    """The kind of an error of the domain decides what it means to a caller."""
    if isinstance(problem, PoolUnavailable):
        return 503
    if isinstance(problem, LookupError):
        return 404
    return 422 if isinstance(problem, ValueError) else 409


def _refused(request: HttpRequest, problem: Refused) -> HttpResponse:
    response = answer(problem.status, problem.code, str(problem), present=problem.present)
    if problem.retry_after_seconds is not None:
        response["Retry-After"] = str(problem.retry_after_seconds)
    return response


def _pool_error(request: HttpRequest, problem: PoolError) -> HttpResponse:
    sentence = str(problem) or " ".join((type(problem).__doc__ or "").split())
    fields = problem.fields if isinstance(problem, InvalidSchedule) else None
    return answer(
        status_of(problem), problem.code, sentence, present=_present(problem), fields=fields
    )


def _present(problem: PoolError) -> dict[str, Any] | None:
    if isinstance(problem, Conflict) and problem.status:
        return {"status": problem.status, "revision": problem.revision}
    return {"task_id": problem.other_id} if isinstance(problem, Overlaps) else None


def _data_error(request: HttpRequest, problem: DataError) -> HttpResponse:
    return answer(422, "INVALID_INPUT", "A value is too large or has characters no database takes.")


def _database_error(request: HttpRequest, problem: Exception) -> HttpResponse:
    return answer(503, "LEDGER_UNAVAILABLE", LEDGER_AWAY)


def _invalid(request: HttpRequest, problem: ValidationError) -> HttpResponse:
    wrong = [f"{_place(error['loc'])}: {error['msg']}" for error in problem.errors[:MOST_FIELDS]]
    return answer(422, "INVALID_INPUT", "; ".join(wrong))


def _place(loc: Sequence[str | int]) -> str:
    """``body.priority``, also where the endpoint's own argument is named ``body``."""
    source, *rest = loc
    return ".".join(str(part) for part in (source, *(rest[1:] if rest[:1] == [source] else rest)))


def _http_error(request: HttpRequest, problem: HttpError) -> HttpResponse:
    return answer(problem.status_code, "", str(problem))


def _not_logged_in(request: HttpRequest, problem: AuthenticationError) -> HttpResponse:
    return answer(401)


def _not_found(request: HttpRequest, problem: Http404) -> HttpResponse:
    return answer(404)


HANDLERS: Mapping[type[Exception], Callable[..., HttpResponse]] = {
    Refused: _refused,
    PoolError: _pool_error,
    DataError: _data_error,
    DatabaseError: _database_error,
    InterfaceError: _database_error,
    ValidationError: _invalid,
    HttpError: _http_error,
    AuthenticationError: _not_logged_in,
    Http404: _not_found,
}


def add_handlers(api: NinjaAPI) -> None:
    """Say of each kind of error how it is answered."""
    for kind, handler in HANDLERS.items():
        api.add_exception_handler(kind, handler)
