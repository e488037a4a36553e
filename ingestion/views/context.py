"""What every template knows."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from ingestion.services.infra.sandboxed import sandboxed_crms
from ingestion.services.security.access import Right, is_read_only, may


def rights(request: HttpRequest) -> dict[str, Any]:
    """``may.view``, ``.operate``, ``.configure``, ``.schedule``: what the reader may do here and
    now; ``read_only``: whether this installation changes nothing; ``sandboxed``: the CRMs whose
    data is made up."""
    return {
        "may": SimpleLazyObject(lambda: _rights(request)),
        "read_only": is_read_only(),
        "sandboxed": SimpleLazyObject(sandboxed_crms),
    }


def _rights(request: HttpRequest) -> dict[str, bool]:
    # A request that was refused early has no user.
    user = getattr(request, "user", AnonymousUser())
    held = {right.name.lower(): may(user, right) for right in Right}
    if is_read_only():
        held = {name: is_held and name == "view" for name, is_held in held.items()}
    return held
