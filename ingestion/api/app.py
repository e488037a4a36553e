"""The API as one: its routers, its errors, its document and its page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from ninja import Router
from ninja.operation import Operation

import ingestion.api as rooms
from ingestion.api.document.openapi import (
    DESCRIPTION,
    EXTRA,
    SERVERS,
    DocumentedAPI,
    summarize,
)
from ingestion.api.document.reference import subjects
from ingestion.api.http.closed import close_query
from ingestion.api.http.errors import add_handlers
from ingestion.api.http.old_names import add_old_paths
from ingestion.api.http.security import TokenAuth, needs
from ingestion.services.security import api_tokens
from ingestion.services.security.access import Right

api = DocumentedAPI(
    title="Data warehouse",
    version="1",
    description=DESCRIPTION,
    servers=SERVERS,
    openapi_extra=EXTRA,
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


def _operations(router: Router) -> Iterator[Operation]:
    for view in router.path_operations.values():
        yield from view.operations


def _name_scope(operation: Operation, router: Router) -> None:
    """An endpoint without a right of its own has its router's."""
    of_token = next(
        auth
        for auth in (*operation.auth_callbacks, *_several(router.auth))
        if isinstance(auth, TokenAuth)
    )
    scope = next(s for s, held in api_tokens.SCOPES.items() if of_token.right in held)
    operation.openapi_extra = {**(operation.openapi_extra or {}), "x-scope": str(scope)}


def _several(auth: Any) -> Sequence[Any]:
    return auth if isinstance(auth, Sequence) else ()


def _routers() -> Iterator[Router]:
    """That of every module of these rooms that has one."""
    for name in sorted(found.name for found in walk_packages(rooms.__path__, "ingestion.api.")):
        router = None if name == __name__ else getattr(import_module(name), "router", None)
        if router is not None:
            yield router


for _router in _routers():
    api.add_router("", _router)
for _router in (api.default_router, *_routers()):
    for _operation in _operations(_router):
        close_query(_operation)
        summarize(_operation)
        _name_scope(_operation, _router)
    add_old_paths(_router)
