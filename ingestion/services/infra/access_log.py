"""A line in the log for every request that was answered."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.encoding import escape_uri_path

logger = structlog.stdlib.get_logger("ingestion.access")

# What asks every few seconds, and files; these are lines at the level DEBUG.
QUIET = ("/health/", "/metrics")


class AccessLogMiddleware:
    """After the one that knows the client's address. The path without its query: that may hold what
    nobody should read, such as a token."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._quiet = (*QUIET, f"/{settings.STATIC_URL.lstrip('/')}")

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self._get_response(request)
        logger.log(
            logging.DEBUG if request.path.startswith(self._quiet) else logging.INFO,
            "request",
            method=request.method,
            path=escape_uri_path(request.path),
            status=response.status_code,
            ms=round((time.perf_counter() - began) * 1000, 1),
            user=_user_name(request),
            client=str(request.META.get("REMOTE_ADDR", "")),
        )
        return response


def _user_name(request: HttpRequest) -> str:
    """Of whoever the request was answered for, if that had to be known: asking now would look into
    the database. '' for nobody."""
    if (user := getattr(request, "_cached_user", None)) and user.is_authenticated:
        return str(user.get_username())
    return str(getattr(getattr(request, "auth", None), "name", ""))
