"""The fault ``repeat``: every request gets the first page, and there is always another."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lxml import etree
from werkzeug import Response
from werkzeug.wsgi import get_current_url

from sandbox.base import WsgiApp
from sandbox.web import IncomingRequest

# The parameters that select a page.
PAGING = frozenset({"after", "after_id", "offset", "page", "$skip"})
ROW_RANGE = re.compile(r"^(?P<tab>.*/values/.*!)(?P<first>\d+):(?P<last>\d+)$")
MANY = 1_000_000


def first_page_again(app: WsgiApp, request: IncomingRequest) -> Response:
    """The answer with the first page, which announces another."""
    url = get_current_url(request.environ)
    query = parse_qsl(request.environ.get("QUERY_STRING", ""), keep_blank_values=True)
    request.environ["QUERY_STRING"] = urlencode([(k, v) for k, v in query if k not in PAGING])
    _select_first_page(request)
    answer = request.response_from(app)
    if answer.status_code == 200 and "json" in (answer.mimetype or ""):
        answer.set_data(json.dumps(_with_more(request, json.loads(answer.get_data()), url)))
    return answer


def _select_first_page(request: IncomingRequest) -> None:
    """For the APIs that take the page in the path or in the body."""
    if match := ROW_RANGE.match(request.path):
        request.environ["PATH_INFO"] = _first_rows(match)
    elif request.crm == "five9":
        request.replace_body(_without_criteria(request.body))
    elif request.path.endswith("/search"):
        request.replace_body(_without_last_id(request.body))
    elif request.body.startswith(b"{"):
        body = {n: v for n, v in json.loads(request.body).items() if n != "NextToken"}
        request.replace_body(json.dumps(body).encode())


def _first_rows(match: re.Match[str]) -> str:
    """A range of as many rows, right below the header; the header's own range stays."""
    first, last = int(match["first"]), int(match["last"])
    return match[0] if first == 1 else f"{match['tab']}2:{last - first + 2}"


def _without_criteria(envelope: bytes) -> bytes:
    """Five9 has no pages: whatever is looked up, all contacts are found."""
    found = etree.fromstring(envelope)
    for lookup in found.iter("{*}lookupCriteria"):
        for criterion in lookup.findall("{*}criteria"):
            lookup.remove(criterion)
    without: bytes = etree.tostring(found)
    return without


def _without_last_id(text: bytes) -> bytes:
    """HubSpot's search: each page wants ids above the last one of the page before."""
    body = json.loads(text)
    for group in body["filterGroups"]:
        for condition in group["filters"]:
            if condition["propertyName"] == "hs_object_id":
                condition["value"] = "0"
    return json.dumps(body).encode()


def _with_more(request: IncomingRequest, body: Any, url: str) -> Any:
    """The answer with what announces another page in this CRM, where it does."""
    match request.crm, body:
        case "hubspot", {"results": [_, *_]} if "/properties/" not in request.path:
            return {**body, "paging": {"next": {"after": "1", "link": url}}}
        case "callrail", {"next_page": _}:
            return {**body, "next_page": url, "has_next_page": True}
        case "callrail", {"total_pages": _}:
            return {**body, "total_pages": MANY}
        case "salesrabbit", {"meta": dict(meta)}:
            return {**body, "meta": {**meta, "morePages": True}}
        case "salespro", {"ResultSet": _}:
            return {**body, "NextToken": "again"}
        case "salespro", {"meta": {"pagination": dict(pagination)}}:
            return {**body, "meta": {"pagination": {**pagination, "total_pages": MANY}}}
    return body
