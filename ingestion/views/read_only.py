"""The mode in which pages and API change nothing."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, resolve

from ingestion.services.security.access import is_read_only
from ingestion.views.answers import error

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Everybody may come and go, and keep the own account safe.
ALLOWED = frozenset({"login", "logout", "password_change"})
SENTENCE = "This installation is read-only: nothing can be changed here."


class ReadOnlyMiddleware:
    """Refuses every request that could change something, whatever it asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method in SAFE or not is_read_only() or _name(request) in ALLOWED:
            return self._get_response(request)
        if request.path.startswith("/api/"):
            return error(403, "READ_ONLY", SENTENCE)
        raise PermissionDenied(SENTENCE)


def _name(request: HttpRequest) -> str:
    try:
        return resolve(request.path_info).url_name or ""
    except Resolver404:
        return ""
