"""A middleware of the tests: every answer of the API fits the document, and has no field that the
document leaves out. Endpoints describe their answers and do not check them; here they are."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

import jsonschema_rs
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ingestion.deprecated_names import API_PATHS

# Statuses that no endpoint answers itself: of the URL, of its method, of what broke.
NOT_OF_ENDPOINTS = (404, 405, 413, 500)
OLD_PATHS = {f"/api{old}": f"/api{new}" for old, new in API_PATHS.items()}
UNDOCUMENTED = ("/api/docs", "/api/openapi.json")


class AnswersFitTheDocument:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if request.path.startswith("/api/") and not request.path.startswith(UNDOCUMENTED):
            check(request, response)
        return response


def check(request: HttpRequest, response: HttpResponseBase) -> None:
    """Raises AssertionError."""
    match, method = request.resolver_match, str(request.method).lower()
    path = re.sub(r"<(\w+)>", r"{\1}", f"/{match.route}") if match else ""
    path = OLD_PATHS.get(path, path)
    known = documented().get((path, method))
    if known is None:
        assert response.status_code >= 400, f"{method} {path} is not documented"
        return
    status = response.status_code
    if status not in known:
        assert status in NOT_OF_ENDPOINTS, f"{method} {path} answers {status}, not documented"
    elif known[status] is not None:
        wrong = known[status].iter_errors(json.loads(response.content))
        said = [f"{list(found.instance_path)}: {found.message[:300]}" for found in wrong]
        assert not said, f"{method} {path} {status}: {said[:3]}"


@cache
def documented() -> dict[tuple[str, str], dict[int, Any]]:
    """A validator of JSON, or None, by path and method, then by status."""
    from ingestion.api.app import api

    document = copy.deepcopy(api.get_openapi_schema())
    components = document["components"]
    for schema in components["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return {
        (path, method): {
            int(status): validator(answer, components)
            for status, answer in operation["responses"].items()
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def validator(answer: dict[str, Any], components: dict[str, Any]) -> Any:
    content = answer.get("content", {}).get("application/json")
    if content is None:
        return None
    schema = {**content["schema"], "components": components}
    return jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
