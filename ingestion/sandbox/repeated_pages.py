"""The fault ``repeat``: the page that is asked for does not count, and there is always another."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

from lxml import etree
from werkzeug import Response
from werkzeug.wsgi import get_current_url

from ingestion.sandbox.base import WsgiApp
from ingestion.sandbox.web import Asked

# What says which page is wanted.
PAGING = frozenset({"after", "after_id", "offset", "page", "$skip"})
ROW_RANGE = re.compile(r"^(?P<tab>.*/values/.*!)(?P<first>\d+):(?P<last>\d+)$")
MANY = 1_000_000


def first_page_again(app: WsgiApp, asked: Asked) -> Response:
    """The answer to the first page, saying that more will come."""
    url = get_current_url(asked.environ)
    query = parse_qsl(asked.environ.get("QUERY_STRING", ""), keep_blank_values=True)
    asked.environ["QUERY_STRING"] = urlencode([(k, v) for k, v in query if k not in PAGING])
    _ask_for_first(asked)
    answer = asked.answer_of(app)
    if answer.status_code == 200 and "json" in (answer.mimetype or ""):
        answer.set_data(json.dumps(_with_more(asked, json.loads(answer.get_data()), url)))
    return answer


def _ask_for_first(asked: Asked) -> None:
    """Where the page stands in the path or in the body."""
    if match := ROW_RANGE.match(asked.path):
        asked.environ["PATH_INFO"] = _first_rows(match)
    elif asked.crm == "five9":
        asked.ask_for(_without_criteria(asked.body))
    elif asked.path.endswith("/search"):
        asked.ask_for(_without_last_id(asked.body))
    elif asked.body.startswith(b"{"):
        body = {n: v for n, v in json.loads(asked.body).items() if n != "NextToken"}
        asked.ask_for(json.dumps(body).encode())


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
    """HubSpot's search: each page asks for ids above the last one of the page before."""
    body = json.loads(text)
    for group in body["filterGroups"]:
        for condition in group["filters"]:
            if condition["propertyName"] == "hs_object_id":
                condition["value"] = "0"
    return json.dumps(body).encode()


def _with_more(asked: Asked, body: Any, url: str) -> Any:
    """The answer with its CRM's word for another page, where it has one."""
    match asked.crm, body:
        case "hubspot", {"results": [_, *_]} if "/properties/" not in asked.path:
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
