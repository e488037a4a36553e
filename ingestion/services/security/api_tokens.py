"""Tokens of programs: made, checked, revoked. Only a digest of each is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from ingestion.models import ApiToken
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolError
from ingestion.services.security import audit
from ingestion.services.security.access import GROUPS, Right

PREFIX = "dw_"
SHOWN_CHARACTERS = 8
# A token that is used all the time does not write all the time.
NOTED_EVERY = timedelta(minutes=1)

MOST_VALID = 1000
_valid: set[str] = set()

SCOPES: Mapping[str, tuple[Right, ...]] = {
    ApiToken.Scope.READ: GROUPS["Viewers"],
    ApiToken.Scope.OPERATE: GROUPS["Operators"],
    ApiToken.Scope.ADMIN: GROUPS["Administrators"],
}


class InvalidToken(PoolError, ValueError):
    """A token must have a new name and a known scope, and end in the future."""

    code = "INVALID_TOKEN"


class TokenNotFound(PoolError, LookupError):
    """No token has this name."""

    code = "TOKEN_NOT_FOUND"


@dataclass(frozen=True)
class NewToken:
    """``secret`` is shown now and never again."""

    token: ApiToken
    secret: str


def create(
    name: str, *, scope: str, expires_at: datetime | None, change: ChangeRequest
) -> NewToken:
    """Raises InvalidToken."""
    _check(name, scope, expires_at)
    secret = f"{PREFIX}{secrets.token_urlsafe(32)}"
    token = ApiToken(
        name=name,
        digest=_digest(secret),
        hint=secret[: len(PREFIX) + SHOWN_CHARACTERS],
        scope=scope,
        created_by=audit.actor(change.by),
        expires_at=expires_at,
    )
    ends = expires_at.isoformat() if expires_at else None
    try:
        with transaction.atomic():
            token.save()
            audit.record(
                "create_token",
                change=change,
                target=name,
                after={"scope": scope, "expires_at": ends},
            )
    except IntegrityError as problem:
        raise InvalidToken(f"There is a token named {name!r} already.") from problem
    return NewToken(token, secret)


def revoke(name: str, *, change: ChangeRequest) -> ApiToken:
    """From now on it opens nothing. Raises TokenNotFound."""
    token = ApiToken.objects.filter(name=name).first()
    if token is None:
        raise TokenNotFound(f"No token is named {name!r}.")
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        with transaction.atomic():
            token.save(update_fields=["revoked_at"])
            audit.record("revoke_token", change=change, target=name)
    return token


def find(secret: str) -> ApiToken | None:
    """The token that somebody presents; None for one that is unknown, revoked or past its end."""
    now = timezone.now()
    in_force = Q(expires_at=None) | Q(expires_at__gt=now)
    token = ApiToken.objects.filter(in_force, digest=_digest(secret), revoked_at=None).first()
    if token is not None:
        _note_use(token, now)
        if len(_valid) >= MOST_VALID:
            _valid.clear()
        _valid.add(token.digest)
    return token


def was_valid(secret: str) -> bool:
    """Whether this process has found it valid before: somebody else's made-up tokens from the same
    address must not lock it out."""
    return _digest(secret) in _valid


def state_of(token: ApiToken) -> str:
    """``active``, ``expired`` or ``revoked``."""
    if token.revoked_at:
        return "revoked"
    is_over = token.expires_at is not None and token.expires_at <= timezone.now()
    return "expired" if is_over else "active"


def _note_use(token: ApiToken, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at >= NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def _check(name: str, scope: str, expires_at: datetime | None) -> None:
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise InvalidToken("A token needs a name of 1 to 100 printable characters.")
    if scope not in SCOPES:
        raise InvalidToken(f"The scope must be one of {', '.join(SCOPES)}, not {scope!r}.")
    if expires_at is not None and expires_at <= timezone.now():
        raise InvalidToken("A token must end in the future.")


def _digest(secret: str) -> str:
    # The secret is 256 random bits: no salt and no slow hash make it safer.
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
