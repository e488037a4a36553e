"""The one lock on every door: who may come in, with which methods, and in which mode.

``page`` is for pages, ``data`` for doors that answer JSON. What the API's doors ask is the same,
see ``ingestion.api.security``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.views.decorators.cache import never_cache

from ingestion.services.access import Right, may
from ingestion.views.answers import error

View = Callable[..., HttpResponseBase]
READING = ("GET", "HEAD")


def page(right: Right | str, *, methods: tuple[str, ...] = READING) -> Callable[[View], View]:
    """A page for those who hold ``right``: others are led to the login, or told that they may not."""
    return _lock(Right(right), methods, _to_login, _told_no)


def data(right: Right | str, *, methods: tuple[str, ...] = READING) -> Callable[[View], View]:
    """JSON for those who hold ``right``: 401 without a login, 403 without the right."""
    return _lock(Right(right), methods, _not_logged_in, _not_allowed)


def _lock(
    right: Right, methods: tuple[str, ...], anonymous: View, refused: View
) -> Callable[[View], View]:
    def lock(view: View) -> View:
        @wraps(view)
        def locked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return anonymous(request)
            if not may(request.user, right):
                return refused(request)
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, *args, **kwargs)

        return never_cache(locked)

    return lock


def _to_login(request: HttpRequest) -> HttpResponseBase:
    return redirect_to_login(request.get_full_path())


def _told_no(request: HttpRequest) -> HttpResponseBase:
    raise PermissionDenied("Your account lacks the permission for this page.")


def _not_logged_in(request: HttpRequest) -> HttpResponse:
    return error(401, "NOT_LOGGED_IN", "Log in at /login/ first.")


def _not_allowed(request: HttpRequest) -> HttpResponse:
    return error(403, "NOT_ALLOWED", "Your account lacks the permission for this.")
