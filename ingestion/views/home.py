"""The dashboard: an empty page that its own script fills from the JSON API."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static

from ingestion.services.security.access import Right
from ingestion.sync.common.registry import crms
from ingestion.views.access import page

STATES = ("available", "busy", "overloaded", "paused", "degraded", "unknown")


@page(Right.VIEW)
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "ingestion/home.html", {"options": options()})


def options() -> dict[str, Any]:
    """What the dashboard's script needs and does not change while it runs."""
    return {
        "crms": {
            name: {"title": crm.title, "sync_types": list(crm.sync_types)}
            for name, crm in crms().items()
        },
        "favicons": {state: static(f"ingestion/favicon/{state}.svg") for state in STATES},
    }
