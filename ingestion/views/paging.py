"""The page of a list that an address asks for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.http import HttpRequest

from ingestion.services.infra.cursor import InvalidCursor

Found = TypeVar("Found")


def asked_page(request: HttpRequest, search: Callable[[str | None], Found]) -> Found:
    """What ``search`` finds at the cursor of the address; the first page when that is none of this
    list, as after a change of the filter by hand."""
    try:
        return search(request.GET.get("cursor"))
    except InvalidCursor:
        return search(None)
