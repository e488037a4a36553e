"""What releases before the column map have left: dlt's state and schema, read without dlt, once."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any, Final
from zlib import decompress

from ingestion.sync.common.source import Watermark
from ingestion.sync.common.window import from_state
from ingestion.sync.load.columns.column_map import OF_DLT, RESERVED, Column
from ingestion.sync.load.tables.session import Session

STATES: Final = "_dlt_pipeline_state"
SCHEMAS: Final = "_dlt_version"


def watermark(session: Session, crm: str, model: str) -> Watermark | None:
    """Where the last load that ended well has left the model."""
    if not session.columns_of(STATES):
        return None
    found = session.rows(
        f"SELECT s.state FROM {session.table(STATES)} s"
        f" JOIN {session.table('_dlt_loads')} l ON l.load_id = s._dlt_load_id"
        " WHERE s.pipeline_name = ? AND l.status = 0 ORDER BY l.load_id DESC LIMIT 1",
        (f"{crm}_{model}",),
    )
    if not found:
        return None
    sources = _unpacked(found[0][0]).get("sources", {})
    resources = sources.get(f"{crm}_{model}", {}).get("resources", {})
    return from_state(resources.get(model, {}).get("watermark"))


def columns(session: Session, crm: str, model: str, found: dict[str, str]) -> list[Column]:
    """The columns that an earlier release made, of those that the table has. ``found``: the
    table's own columns with their types."""
    known = _schema(session, crm, model)
    return [
        Column(name, name, _data_type(name, data_type, known), "earlier")
        for name, data_type in found.items()
        if name not in RESERVED and (not known or name in known)
    ]


def is_of_dlt(found: dict[str, str]) -> bool:
    return any(name in found for name in OF_DLT)


def _data_type(name: str, data_type: str, known: dict[str, Any]) -> str:
    """SQLite's own types do not tell a time with a zone from one without."""
    told = known.get(name, {})
    if told.get("data_type") == "timestamp" and data_type == "timestamp":
        return "datetime" if told.get("timezone") is False else "timestamp"
    return data_type


def _schema(session: Session, crm: str, model: str) -> dict[str, Any]:
    if not session.columns_of(SCHEMAS):
        return {}
    found = session.rows(
        f"SELECT {session.quote('schema')} FROM {session.table(SCHEMAS)}"
        " WHERE schema_name = ? ORDER BY inserted_at DESC LIMIT 1",
        (f"{crm}_{model}",),
    )
    if not found:
        return {}
    tables = json.loads(found[0][0]).get("tables", {})
    named: dict[str, Any] = tables.get(model, {}).get("columns", {})
    return named


def _unpacked(text: str) -> dict[str, Any]:
    unpacked: dict[str, Any] = json.loads(decompress(b64decode(text)))
    return unpacked
