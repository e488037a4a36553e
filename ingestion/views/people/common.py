"""What the forms for users and tokens share."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.security.access import Right
from ingestion.views.access import page

POST = ("POST",)
post = page(Right.CONFIGURE, methods=POST)


def user_of(request: HttpRequest) -> User:
    """Who asks; the page's lock lets nobody else in."""
    return cast("User", request.user)


def change_of(request: HttpRequest) -> ChangeRequest:
    return ChangeRequest(
        by=f"{user_of(request).get_username()} (web)", reason=request.POST.get("reason", "")[:2000]
    )


def carried_out(
    request: HttpRequest, action: Callable[[], None], *, done: str, to: str
) -> HttpResponse:
    """Back to the page ``to``, with what was done or why not."""
    try:
        action()
    except PoolError as problem:
        messages.error(request, str(problem))
    else:
        messages.success(request, done)
    return redirect(to)
