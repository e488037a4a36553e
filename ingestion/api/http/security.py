"""Who calls: a program with a token, or a browser with its session and a CSRF token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.security import APIKeyCookie, HttpBearer
from ninja.utils import check_csrf

from ingestion.api.http.errors import CsrfFailed, NotAllowed, TooMany
from ingestion.services.infra import request_rates
from ingestion.services.security import addresses, api_tokens
from ingestion.services.security.access import Right, may


@dataclass(frozen=True)
class Caller:
    """``name`` stands in the audit record; ``key`` identifies the caller."""

    name: str
    key: str
    kind: str
    rights: frozenset[Right]


class TokenAuth(HttpBearer):
    """``Authorization: Bearer dw_...``"""

    def __init__(self, right: Right) -> None:
        self.right = right
        super().__init__()

    def authenticate(self, request: HttpRequest, token: str) -> Caller | None:
        address = addresses.caller_group(request)
        wait = request_rates.seconds_until_next_try(address)
        if wait and not api_tokens.was_valid(token):
            raise TooMany(wait_seconds=wait)
        found = api_tokens.find(token)
        if found is None:
            request_rates.note_failure(address)
            return None
        key = f"token:{found.pk}"
        _count(key)
        rights = frozenset(api_tokens.SCOPES[found.scope])
        if self.right not in rights:
            raise NotAllowed(f"The scope {found.scope!r} of this token does not allow this.")
        return Caller(f"token {found.name}", key, "token", rights)


class SessionAuth(APIKeyCookie):
    """The session of somebody who has logged in; what changes something needs ``X-CSRFToken``."""

    param_name: str = settings.SESSION_COOKIE_NAME

    def __init__(self, right: Right) -> None:
        self._right = right
        super().__init__()

    def __call__(self, request: HttpRequest) -> Caller | None:
        if "Authorization" in request.headers or not request.user.is_authenticated:
            return None
        if check_csrf(request):
            raise CsrfFailed("Send the value of the csrftoken cookie as the header X-CSRFToken.")
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> Caller:
        user, key = request.user, f"user:{request.user.pk}"
        _count(key)
        rights = frozenset(right for right in Right if may(user, right))
        if self._right not in rights:
            raise NotAllowed("Your account lacks the permission for this.")
        return Caller(f"{user.get_username()} (web)", key, "user", rights)


def _count(key: str) -> None:
    """Raises TooMany."""
    if wait := request_rates.seconds_to_wait(key):
        raise TooMany(wait_seconds=wait)


def needs(right: Right) -> list[Any]:
    """The right that an endpoint needs: ``auth=needs(Right.OPERATE)``."""
    return [TokenAuth(right), SessionAuth(right)]


def caller(request: HttpRequest) -> Caller:
    """Who sent the request; known once the endpoint is reached."""
    found: Caller = request.auth  # type: ignore[attr-defined]
    return found
