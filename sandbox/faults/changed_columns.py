"""The fault ``column``: the records of an answer as they are after the CRM has changed them.

Each record has one more field; some models have lost one, and in some a field has another type.
Keys, cursors and what paging needs stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree
from werkzeug import Response

from sandbox.faults import changed_sheet, changed_soap
from sandbox.web import IncomingRequest

NEW, NEW_VALUE, OTHER_VALUE = "added_by_fault", "new", "not known"

Json = dict[str, Any]


@dataclass(frozen=True)
class Change:
    """``vanished``: a field that is left out; ``retyped``: one that holds text from now on."""

    vanished: str
    retyped: str


CHANGES: Mapping[str, Change] = {
    "arrivy": Change("details", "duration"),
    "callrail": Change("voicemail", "duration"),
    "hubspot": Change("city", "lead_score"),
    "leadconduit": Change("host", "cost"),
    "marketsharp": Change("email1", "yearHomeBuilt"),
    "salespro": Change("referred_by_type", "is_completed"),
    "salesrabbit": Change("street2", "latitude"),
}
ONLY_NEW = Change("", "")  # of a CRM without an entry above


def with_changed_columns(request: IncomingRequest, answer: Response) -> Response:
    """The answer with changed records; one that holds none stays as it is."""
    kind = answer.mimetype
    if answer.status_code != 200:
        return answer
    if request.crm == "five9":
        answer.set_data(changed_soap.changed(answer.get_data()))
    elif kind == "application/json":
        answer.set_data(json.dumps(_changed(request, json.loads(answer.get_data()))))
    elif kind == "application/atom+xml":
        answer.set_data(_changed_feed(answer.get_data()))
    elif kind == "application/x-amz-json-1.1":
        answer.set_data(json.dumps(_changed_lake(request, json.loads(answer.get_data()))))
    return answer


def _changed(request: IncomingRequest, body: Any) -> Any:
    if request.crm == "gsheet":
        return changed_sheet.changed(request.path, body)
    if request.crm == "hubspot" and "/properties/" in request.path:
        return {"results": list(_changed_metadata(body["results"]))}
    for row in _records(body):
        # HubSpot's values are one level down.
        _change(row.get("properties", row), CHANGES.get(request.crm, ONLY_NEW))
    return body


def _records(body: Any) -> Iterator[Json]:
    """Every object of the lists that an answer consists of."""
    if isinstance(body, list):
        yield from (row for row in body if isinstance(row, dict))
    elif isinstance(body, dict):
        for name, value in body.items():
            if name == "d" or (isinstance(value, list) and name != "errors"):
                yield from _records(value)


def _change(row: Json, change: Change) -> None:
    row.pop(change.vanished, None)
    if row.get(change.retyped) is not None:
        row[change.retyped] = OTHER_VALUE
    row[NEW] = NEW_VALUE


def _changed_metadata(properties: list[Json]) -> Iterator[Json]:
    """HubSpot lists its properties; a source requests only those."""
    change = CHANGES["hubspot"]
    for found in properties:
        if found["name"] != change.vanished:
            yield found | ({"type": "string"} if found["name"] == change.retyped else {})
    yield {**properties[0], "name": NEW, "type": "string"}


def _changed_feed(content: bytes) -> bytes:
    """MarketSharp's Atom: the same change, of elements."""
    change = CHANGES["marketsharp"]
    feed = etree.fromstring(content, etree.XMLParser(recover=True))
    for row in feed.iter("{*}properties"):
        for found in row.findall(f"{{*}}{change.vanished}"):
            row.remove(found)
        names = etree.QName(row[0]).namespace if len(row) else ""
        etree.SubElement(row, f"{{{names}}}{NEW}").text = NEW_VALUE
    changed: bytes = etree.tostring(feed, encoding="UTF-8", xml_declaration=True)
    return changed


def _changed_lake(request: IncomingRequest, body: Json) -> Json:
    """Athena's first page begins with the names; later ones have rows only."""
    is_first = b'"NextToken"' not in request.body
    for number, row in enumerate(body.get("ResultSet", {}).get("Rows", [])):
        row["Data"].append({"VarCharValue": NEW if is_first and number == 0 else NEW_VALUE})
    return body
