"""Requests and answers in HubSpot's own form: paging, batches, errors."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from werkzeug import Request
from werkzeug.exceptions import HTTPException

from sandbox.crms.hubspot.catalog import Prop
from sandbox.crms.hubspot.search import BadSearch
from sandbox.web import Refused, json_answer

Json = dict[str, Any]


def error(status: int, category: str, message: str, **more: Any) -> Refused:
    body = {
        "status": "error",
        "message": message,
        "correlationId": str(uuid.uuid4()),
        "category": category,
        **more,
    }
    return Refused(json_answer(body, status))


def bad_search(refusal: BadSearch) -> Refused:
    context = {"invalidPropertyName": [refusal.property_name]} if refusal.property_name else {}
    return error(400, "VALIDATION_ERROR", str(refusal), context=context)


def problem(category: str, message: str, sub_category: str = "") -> Json:
    return {
        "status": "error",
        "category": category,
        "subCategory": sub_category,
        "message": message,
    }


def property_metadata(prop: Prop) -> Json:
    return {
        "name": prop.name,
        "label": prop.name.replace("_", " ").title(),
        "groupName": _group(prop.name),
        "type": prop.kind,
        "fieldType": prop.field_type,
        "options": [{"label": o.title(), "value": o, "hidden": False} for o in prop.options],
        "archived": False,
    }


def _group(name: str) -> str:
    known = {"hs": "hubspotinformation", "custom": "customproperties"}
    return known.get(name.partition("_")[0], "information")


def link_name(one: str, other: str) -> str:
    """E.g. ``contact_to_company``."""
    singles = (re.sub("ies$", "y", kind).removesuffix("s") for kind in (one, other))
    return "_to_".join(singles)


def without_nulls(owner: Mapping[str, Any]) -> Json:
    return {name: value for name, value in owner.items() if value is not None}


def is_search(request: Request) -> bool:
    return request.path.endswith("/search")


def wants_archived(request: Request) -> bool:
    return request.args.get("archived", "false").lower() == "true"


def limit_of(request: Request, highest: int, *, default: int) -> int:
    text = request.args.get("limit", str(default))
    if not text.isdigit() or not 0 < int(text) <= highest:
        raise error(400, "VALIDATION_ERROR", f"limit must be between 1 and {highest}")
    return int(text)


def after_of(request: Request) -> int:
    text = request.args.get("after", "0")
    if not text.isdigit():
        raise error(400, "VALIDATION_ERROR", "after is not a valid cursor")
    return int(text)


def listed(request: Request, name: str) -> list[str]:
    """The values of a parameter: between commas, or of several parameters of the name."""
    return [word for text in request.args.getlist(name) for word in text.split(",") if word]


def next_page(after: str) -> Json:
    return {"next": {"after": after, "link": f"?after={after}"}}


def body_of(request: Request) -> Json:
    try:
        body = request.get_json()
    except HTTPException:
        body = None
    if not isinstance(body, dict):
        raise error(400, "VALIDATION_ERROR", "Invalid input JSON")
    return body


def inputs_of(body: Mapping[str, Any], highest: int) -> list[Json]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not 0 < len(inputs) <= highest:
        raise error(400, "VALIDATION_ERROR", f"inputs must hold 1 to {highest} entries")
    if not all(isinstance(i, dict) and str(i.get("id", "")).isdigit() for i in inputs):
        raise error(400, "VALIDATION_ERROR", "Every input needs a numeric id")
    return inputs
