"""Who am I here?"""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.http.responses import ResponseBody, documented, one_of, respond
from ingestion.api.http.security import caller, needs
from ingestion.services.security.access import Right, is_read_only

router = Router(tags=["me"], auth=needs(Right.VIEW))


class Me(ResponseBody):
    """``name`` as audit records have it. ``read_only``: this installation refuses every change."""

    name: str
    kind: Annotated[str, one_of(("token", "user"))]
    rights: list[Annotated[str, one_of(Right)]]
    read_only: bool


@router.get("/me", operation_id="me_get", response=documented(Me))
def me(request: HttpRequest) -> HttpResponse:
    """The caller's name and rights."""
    found = caller(request)
    return respond(
        {
            "name": found.name,
            "kind": found.kind,
            "rights": sorted(str(right) for right in found.rights),
            "read_only": is_read_only(),
        }
    )
