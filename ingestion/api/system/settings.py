"""The configuration in force."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from ninja import Router

from ingestion.api.http.responses import ResponseBody, documented, one_of, respond
from ingestion.api.http.security import needs
from ingestion.api.schemas.controls import Controls
from ingestion.services.reporting.settings_overview import settings_overview
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["settings"], auth=needs(Right.VIEW))


class Setting(ResponseBody):
    """``value`` is ``***`` for a secret, and empty where none is set. ``is_missing``: a CRM needs it
    and has none."""

    name: str
    value: str
    source: Annotated[str, one_of(("environment", ".env", "running system", "default"))]
    is_default: bool
    help: str
    is_missing: bool


class SettingGroup(ResponseBody):
    title: str
    settings: list[Setting]


class Settings(ResponseBody):
    """``controls``: what operators have set; it is stronger than the settings."""

    groups: list[SettingGroup]
    controls: Controls


@router.get("/settings", operation_id="settings_list", response=documented(Settings))
def settings(request: HttpRequest) -> HttpResponse:
    """Every setting with its value and where it comes from, secrets masked; and under ``controls``
    what operators have set while the pool ran: that is stronger."""
    return respond(
        {
            "groups": [group.to_dict() for group in settings_overview()],
            "controls": get_worker_pool().controls().to_dict(),
        }
    )
