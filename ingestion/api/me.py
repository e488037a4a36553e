"""Who am I here?"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from ingestion.api.answers import documented
from ingestion.api.security import caller, needs
from ingestion.services.access import Right, is_read_only

router = Router(tags=["me"], auth=needs(Right.VIEW))


@router.get("/me", response=documented(dict[str, Any]))
def me(request: HttpRequest) -> dict[str, Any]:
    """The caller's name and rights."""
    found = caller(request)
    return {
        "name": found.name,
        "kind": found.kind,
        "rights": sorted(str(right) for right in found.rights),
        "read_only": is_read_only(),
    }
