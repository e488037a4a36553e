"""The rules of the automation, how they are set, and what they found."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.models.automation import Level
from ingestion.services.automation import engine
from ingestion.services.security.access import Right
from ingestion.views.access import page
from ingestion.views.paging import asked_page

PAGE_ROWS = 30


@page(Right.VIEW)
def automation(request: HttpRequest) -> HttpResponse:
    found, older = asked_page(request, lambda at: engine.acts(at=at, limit=PAGE_ROWS))
    context = {
        "rules": list(engine.settings_in_force()),
        "levels": list(Level),
        "waiting": engine.acts(is_open=True)[0],
        "acts": found,
        "older": older,
        "is_first": "cursor" not in request.GET,
    }
    return render(request, "ingestion/automation.html", context)
