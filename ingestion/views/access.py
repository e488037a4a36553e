"""The one lock on every page: who may come in, with which methods, and in which mode.

What the API's endpoints ask is the same, see ``ingestion.api.http.security``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.views.decorators.cache import never_cache

from ingestion.services.security.access import Right, may

View = Callable[..., HttpResponseBase]
READING = ("GET", "HEAD")


def page(right: Right | str, *, methods: tuple[str, ...] = READING) -> Callable[[View], View]:
    """A page for those who hold ``right``: others are led to the login, or told that they may not."""

    def lock(view: View) -> View:
        @wraps(view)
        def locked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            if not may(request.user, Right(right)):
                raise PermissionDenied("Your account lacks the permission for this page.")
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, *args, **kwargs)

        return never_cache(locked)

    return lock
