"""What columns are, in a few words."""

from __future__ import annotations

from typing import Final

from ingestion.sync.common.names import (
    DELETED_AT,
    DELETED_PROOF,
    MISFITS,
    OVERFLOW,
    ROW_HASH,
    RUN_ID,
    SYNCED_AT,
)
from ingestion.sync.common.registry import crm

OWN_COLUMNS: Final = {
    SYNCED_AT: "When the row was last written",
    RUN_ID: "The run that last wrote the row",
    DELETED_AT: "When the record was found to be gone; empty while it is there",
    DELETED_PROOF: "How it is known to be gone",
    ROW_HASH: "Hash of the record, by which a change is seen",
    MISFITS: "Values that did not fit their columns, with the reasons",
    OVERFLOW: "Fields that have no column of their own",
}


def comment(crm_source: str, column: str, field: str | None) -> str:
    """What a column is, in a few words."""
    if column in OWN_COLUMNS:
        return OWN_COLUMNS[column]
    return f"Field {field} of {crm(crm_source).title}" if field else ""
