"""The configuration in force."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from ingestion.api.answers import documented
from ingestion.api.security import needs
from ingestion.services.access import Right
from ingestion.services.settings_overview import settings_overview
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["settings"], auth=needs(Right.VIEW))


@router.get("/settings", response=documented(dict[str, Any]))
def settings(request: HttpRequest) -> dict[str, Any]:
    """Every setting with its value and where it comes from, secrets masked; and under ``controls``
    what operators have set while the pool ran: that is stronger."""
    return {
        "groups": [group.to_dict() for group in settings_overview()],
        "controls": get_worker_pool().controls().to_dict(),
    }
