"""What was counted of each dataset, as it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingestion.models import DatasetProfile


def stored_figures() -> dict[tuple[str, str], DatasetProfile]:
    """Of every dataset, by CRM and model, in one query."""
    return {(row.crm_source, row.model): row for row in DatasetProfile.objects.all()}


def shown(profile: DatasetProfile | None) -> Mapping[str, Any]:
    """What a list has of it; None where nothing was counted yet."""
    if profile is None:
        return dict.fromkeys(("rows", "deleted_rows", "size_bytes", "counted_at"))
    return {
        "rows": profile.rows,
        "deleted_rows": profile.deleted_rows,
        "size_bytes": profile.size_bytes,
        "counted_at": profile.counted_at.isoformat(),
    }
