"""The API as one: its routers, its errors, its document and its page."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Swagger

import ingestion.api
from ingestion.api.errors import add_handlers
from ingestion.api.security import needs
from ingestion.services.access import Right

DESCRIPTION = """Everything that the command line can do.

Programs send `Authorization: Bearer TOKEN`; `manage.py api_token create NAME --scope operate` makes one.
Every refusal is `{"error": {"code", "message"}}`. A POST with an `Idempotency-Key` can be repeated: the
second one is answered like the first. Lists go on with `next_cursor`."""

api = NinjaAPI(
    title="Data warehouse",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    docs=Swagger(settings={"persistAuthorization": False}),
    openapi_url="",
    docs_url="",
)
add_handlers(api)


@api.get("/openapi.json", include_in_schema=False, url_name="openapi-json", auth=needs(Right.VIEW))
def openapi_json(request: HttpRequest) -> Any:
    """This API as an OpenAPI document."""
    return api.get_openapi_schema()


def docs_page(request: HttpRequest) -> HttpResponse:
    """The document to read and to try; its scripts come from here."""
    return api.docs.render_page(request, api)


# Every file of this folder that has a router.
for _name in sorted({found.name for found in iter_modules(ingestion.api.__path__)} - {"app"}):
    _router = getattr(import_module(f"ingestion.api.{_name}"), "router", None)
    if _router is not None:
        api.add_router("", _router)
