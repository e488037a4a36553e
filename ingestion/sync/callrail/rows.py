"""What CallRail's records become."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.sync.callrail.settings import CALL_DAY, WEBHOOKS
from ingestion.sync.common.source import Record
from ingestion.sync.http.amounts import amount

SECRETS = ("signing_key",)


def call(record: Record) -> Record:
    """A call with the day it began on, in the time of its company, and its value as a number."""
    value = record.get("value")
    number = amount(value) if isinstance(value, str) else None
    return {**record, CALL_DAY: day_of(record), "value": value if number is None else number}


def day_of(record: Record) -> str | None:
    began = record.get("start_time")
    return began[:10] if isinstance(began, str) else None


def tags_of(record: Record) -> Iterator[Record]:
    """A row per tag. A tag is an object with a name, or the bare name."""
    for tag in record.get("tags") or ():
        facts: Mapping[str, Any] = tag if isinstance(tag, dict) else {"name": tag}
        tag_id = facts.get("id")
        yield {
            "call_id": record.get("id"),
            "tag_key": str(facts["name"] if tag_id is None else tag_id),
            CALL_DAY: day_of(record),
            "start_time": record.get("start_time"),
            "tag_id": tag_id,
            "name": facts.get("name"),
            "tag_level": facts.get("tag_level"),
            "color": facts.get("color"),
        }


def of_company(record: Record, company_id: str) -> Record:
    """An integration with the company it was listed for, without what is secret."""
    shown = {name: value for name, value in record.items() if name not in SECRETS}
    return {**shown, "company_id": company_id}


def webhooks_of(record: Record) -> Record:
    """The addresses that an integration of type Webhooks calls, by occasion."""
    config = record.get("config") or {}
    facts = {name: record.get(name) for name in ("id", "company_id", "state")}
    return {**facts, **{name: config.get(name) or [] for name in WEBHOOKS}}
