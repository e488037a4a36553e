"""Gives errors under ``/api/`` that no endpoint answered the form of all errors."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from ingestion.api.http import errors

PREFIX = "/api/"
PASSED_ON_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


class ApiErrorsMiddleware:
    """Stands outside of all others, so that nothing escapes it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        is_ours = request.path_info.startswith(PREFIX) and response.status_code >= 400
        if not is_ours or response.get("Content-Type", "").startswith("application/json"):
            return response
        return _in_form(response)

    def process_exception(self, request: HttpRequest, problem: Exception) -> HttpResponse | None:
        """The session stands in the database: without it no caller can be identified."""
        if request.path_info.startswith(PREFIX) and isinstance(
            problem, DatabaseError | InterfaceError
        ):
            return errors.answer(503, "LEDGER_UNAVAILABLE", errors.LEDGER_AWAY)
        return None


def _in_form(response: HttpResponseBase) -> HttpResponse:
    answer = errors.answer(response.status_code)
    for name in PASSED_ON_HEADERS:
        if name in response:
            answer[name] = response[name]
    return answer
