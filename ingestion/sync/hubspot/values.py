"""Turns API objects, whose properties are all strings, into records.

The common converter fits the strings to the columns' types and keeps what does not fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ingestion.sync.common.source import Columns, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Epoch milliseconds of any day but the first weeks of 1970; a date such as 20250131 is none.
MILLISECONDS = re.compile(r"(-?\d{9,15})(?:\.0+)?")
# Ids that were merged into a record: "51;52", and "51:1706659200000;52:…" of old contacts.
MERGED = ("hs_merged_object_ids", "hs_calculated_merged_vids")

# HubSpot's type to ours. Enumerations stay text, several choices joined with ";" as they come;
# number becomes decimal, because HubSpot does not tell amounts from counts.
DATA_TYPES = {"number": "decimal", "datetime": "timestamp", "date": "date", "bool": "bool"}

# Columns that are not properties. A property of such a name is landed as ``property_<name>``.
ENVELOPE: Columns = {
    "id": "text",
    "created_at": "timestamp",
    "updated_at": "timestamp",
    "archived": "bool",
}
RESERVED = {*ENVELOPE, "_deleted_at"}


@dataclass(frozen=True)
class Property:
    """One property of an object type, as the metadata tells it. ``kind``: HubSpot's type;
    ``group``: the name of its group."""

    name: str
    kind: str
    group: str = ""

    @property
    def column(self) -> str:
        return f"property_{self.name}" if self.name in RESERVED else self.name

    @property
    def data_type(self) -> str:
        """The data type of the column; a kind that is not known here stays text."""
        return DATA_TYPES.get(self.kind, "text")

    @property
    def is_temporal(self) -> bool:
        return self.kind in ("datetime", "date")


def columns_of(properties: Sequence[Property]) -> Columns:
    return {**ENVELOPE, **{p.column: p.data_type for p in properties}}


def record_of(found: Mapping[str, Any], properties: Sequence[Property]) -> Record:
    """``found``: an object of the API. One that is archived gets ``_deleted_at``."""
    values = found.get("properties") or {}
    record: Record = {
        "id": id_of(found),
        "created_at": found.get("createdAt"),
        "updated_at": found.get("updatedAt"),
        "archived": bool(found.get("archived")),
    }
    for p in properties:
        text = values.get(p.name)
        record[p.column] = without_milliseconds(text) if p.is_temporal and text else text
    if record["archived"]:
        record["_deleted_at"] = archived_at(found)
    return record


def merged_into(found: Mapping[str, Any]) -> list[str]:
    """The ids that were merged into the object, without its own: a merge makes a new id today."""
    values = found.get("properties") or {}
    told = ";".join(values.get(name) or "" for name in MERGED)
    ids = dict.fromkeys(part.partition(":")[0].strip() for part in told.split(";"))
    return [i for i in ids if i and i != id_of(found)]


def id_of(found: Mapping[str, Any]) -> str | None:
    """None of an object that came without one: it is rejected, and the others load."""
    known = found.get("id")
    return None if known is None else str(known)


def archived_at(found: Mapping[str, Any]) -> datetime:
    """When an archived object or owner was archived; owners tell only their last change."""
    text = found.get("archivedAt") or found.get("updatedAt")
    return datetime.fromisoformat(text).astimezone(UTC) if text else EPOCH


def without_milliseconds(text: str) -> str:
    """A date or time in ISO 8601, also where HubSpot sends epoch milliseconds."""
    told = MILLISECONDS.fullmatch(text)
    if told is None:
        return text
    try:
        at = EPOCH + timedelta(milliseconds=int(told[1]))
    except OverflowError:  # after the year 9999
        return text
    return at.date().isoformat() if at.time() == EPOCH.time() else at.isoformat()


def epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down."""
    return (at - EPOCH) // timedelta(milliseconds=1)
