"""OData v2 answers: JSON in both shapes, and Atom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests
from lxml import etree

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.http import json_of
from ingestion.sync.common.http_errors import is_html
from ingestion.sync.common.source import Record

METADATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
ATOM = "{http://www.w3.org/2005/Atom}"
WCF_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
# What XML 1.0 forbids, as characters and as references; the service sends both.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
CONTROL_REFERENCES = re.compile(
    r"&#(?:x(?:0?[0-8bcef]|1[0-9a-f])|(?:[0-8]|1[124-9]|2\d|3[01]));", re.I
)
NUMBERS = {"Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte"}
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the service's times have no zone


@dataclass(frozen=True)
class Entities:
    """One page: its rows, and where the service says that the next one is."""

    rows: list[Record]
    next_url: str | None = None


def entities_of(label: str, response: requests.Response) -> Entities:
    """What an answer holds, whichever form the service chose."""
    if "xml" in response.headers.get("Content-Type", "").lower():
        return _from_atom(label, response)
    return _from_json(label, json_of(label, response))


def _from_json(label: str, body: Any) -> Entities:
    """``{"d": [...]}`` or ``{"d": {"results": [...], "__next": ...}}``."""
    found = body.get("d") if isinstance(body, dict) else None
    if isinstance(found, list):
        return Entities([_bare(row) for row in found])
    if isinstance(found, dict) and isinstance(found.get("results"), list):
        return Entities([_bare(row) for row in found["results"]], found.get("__next"))
    raise PermanentError(f"{label} did not answer with a list of entities; check the base URL.")


def _bare(row: Record) -> Record:
    """Without metadata and without links to other sets."""
    return {
        name: value
        for name, value in row.items()
        if name != "__metadata" and not (isinstance(value, dict) and "__deferred" in value)
    }


def _from_atom(label: str, response: requests.Response) -> Entities:
    text = CONTROL_REFERENCES.sub("", CONTROL_CHARACTERS.sub("", response.text))
    if is_html(text):
        raise PermanentError(f"{label} answered with a web page; check the base URL.")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=True)
    try:
        feed = etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError:
        raise TransientError(
            f"{label} sent XML that breaks off or is damaged; try again later."
        ) from None
    links = (link for link in feed.iter(f"{ATOM}link") if link.get("rel") == "next")
    rows = [_properties(found) for found in feed.iter(f"{METADATA}properties")]
    return Entities(rows, next((link.get("href") for link in links), None))


def _properties(found: Any) -> Record:
    return {etree.QName(item).localname: _typed(item) for item in found}


def _typed(item: Any) -> Any:
    if item.get(f"{METADATA}null") == "true":
        return None
    kind, text = item.get(f"{METADATA}type"), item.text or ""
    if kind in NUMBERS:
        return int(text)
    if kind == "Edm.Double":
        return float(text)
    return text == "true" if kind == "Edm.Boolean" else text


def moment(value: Any, zone: ZoneInfo) -> Any:
    """A time of the service, which is the company's time of day, as the moment it was; any other
    value as it is."""
    if not isinstance(value, str):
        return value
    if match := WCF_DATE.match(value):
        naive = EPOCH + timedelta(milliseconds=int(match[1]))
    else:
        try:
            naive = datetime.fromisoformat(value)
        except ValueError:
            return value
    if naive.tzinfo is not None:
        return naive.astimezone(UTC)
    return naive.replace(tzinfo=zone).astimezone(UTC)


def filter_moment(when: datetime, zone: ZoneInfo) -> str:
    """A moment as a filter takes it: the company's time of day."""
    return f"datetime'{when.astimezone(zone).replace(tzinfo=None).isoformat(timespec='seconds')}'"
