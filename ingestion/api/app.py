"""The API as one: its routers, its errors, its document and its page."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import NinjaAPI, Router

import ingestion.api
from ingestion.api.errors import add_handlers
from ingestion.api.reference import subjects
from ingestion.api.security import TokenAuth, needs
from ingestion.services import api_tokens
from ingestion.services.access import Right

DESCRIPTION = """Everything that the command line can do.

Programs send `Authorization: Bearer TOKEN`; `manage.py api_token create NAME --scope operate` makes one.
Every refusal is `{"error": {"code", "message"}}`. Who asks too often gets a 429 with `Retry-After` in
seconds. A POST with an `Idempotency-Key` can be repeated: the second one is answered like the first.
Lists go on with `next_cursor`. `x-scope` is the least that a token needs for a door."""

api = NinjaAPI(
    title="Data warehouse",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    openapi_url="",
    docs_url="",
)
add_handlers(api)


@api.get("/openapi.json", include_in_schema=False, url_name="openapi-json", auth=needs(Right.VIEW))
def openapi_json(request: HttpRequest) -> Any:
    """This API as an OpenAPI document."""
    return api.get_openapi_schema()


def docs_page(request: HttpRequest) -> HttpResponse:
    """The document as a page of this site."""
    found = subjects(api.get_openapi_schema(), site=request.build_absolute_uri("/").rstrip("/"))
    return render(request, "ingestion/api.html", {"subjects": found})


def _tell_scopes(router: Router) -> None:
    """A door without a right of its own has its router's."""
    for view in router.path_operations.values():
        for door in view.operations:
            of_token = next(
                auth
                for auth in (*door.auth_callbacks, *_several(router.auth))
                if isinstance(auth, TokenAuth)
            )
            scope = next(s for s, held in api_tokens.SCOPES.items() if of_token.right in held)
            door.openapi_extra = {**(door.openapi_extra or {}), "x-scope": str(scope)}


def _several(auth: Any) -> Sequence[Any]:
    return auth if isinstance(auth, Sequence) else ()


# Every file of this folder that has a router.
for _name in sorted({found.name for found in iter_modules(ingestion.api.__path__)} - {"app"}):
    _router = getattr(import_module(f"ingestion.api.{_name}"), "router", None)
    if _router is not None:
        api.add_router("", _router)
        _tell_scopes(_router)
