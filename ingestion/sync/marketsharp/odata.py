"""OData v2 answers: JSON in both shapes, and Atom."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

import requests
from lxml import etree

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.source import Record
from ingestion.sync.http.client import json_of
from ingestion.sync.http.decoding import charset_of, decoded
from ingestion.sync.http.errors import is_html
from ingestion.sync.http.xml_text import parse_xml

METADATA = "{http://schemas.microsoft.com/ado/2007/08/dataservices/metadata}"
XML_BASE = "{http://www.w3.org/XML/1998/namespace}base"
ATOM = "{http://www.w3.org/2005/Atom}"
WCF_DATE = re.compile(r"^/Date\((-?\d+)(?:[+-]\d{4})?\)/$")
NUMBERS = {"Edm.Int16", "Edm.Int32", "Edm.Int64", "Edm.Byte"}
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the service's times have no zone


@dataclass(frozen=True)
class Entities:
    """One page: its rows, and where the service says that the next one is."""

    rows: list[Record]
    next_url: str | None = None


def entities_of(label: str, response: requests.Response) -> Entities:
    """What an answer holds, whichever form the service chose, and whatever its header says."""
    is_xml = decoded(response.content[:200], charset_of(response)).lstrip().startswith("<")
    found = _from_atom(label, response) if is_xml else _from_json(label, json_of(label, response))
    next_url = found.next_url and urljoin(response.url, found.next_url)
    return replace(found, next_url=next_url)


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
    if is_html(decoded(response.content[:200], charset_of(response))):
        raise PermanentError(f"{label} answered with a web page; check the base URL.")
    try:
        feed = parse_xml(response.content, charset_of(response))
    except etree.XMLSyntaxError:
        raise TransientError(
            f"{label} sent XML that breaks off or is damaged; try again later."
        ) from None
    links = (link for link in feed.iter(f"{ATOM}link") if link.get("rel") == "next")
    rows = [_properties(found) for found in feed.iter(f"{METADATA}properties")]
    hrefs = (urljoin(feed.get(XML_BASE, ""), link.get("href", "")) for link in links)
    return Entities(rows, next(hrefs, None))


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


def _after_epoch(milliseconds: int) -> datetime:
    return EPOCH + timedelta(milliseconds=milliseconds)


def moment(value: Any, zone: ZoneInfo) -> Any:
    """A time of the service, which is the company's time of day, as the moment it was; any other
    value as it is."""
    if not isinstance(value, str):
        return value
    if match := WCF_DATE.match(value):
        read = partial(_after_epoch, int(match[1]))
    else:
        read = partial(datetime.fromisoformat, value)
    try:
        naive = read()
    except (ValueError, OverflowError):
        return value
    aware = naive if naive.tzinfo else naive.replace(tzinfo=zone)
    try:
        return aware.astimezone(UTC)
    except OverflowError:  # 9999-12-31 west of Greenwich
        return value


def filter_moment(when: datetime, zone: ZoneInfo) -> str:
    """A moment as a filter takes it: the company's time of day."""
    return f"datetime'{when.astimezone(zone).replace(tzinfo=None).isoformat(timespec='seconds')}'"
