"""Every dataset at a glance, and one with its columns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from ingestion.conf import warehouse_conf
from ingestion.services.data.comments import comment
from ingestion.services.data.figures import shown, stored_figures
from ingestion.services.data.masking import Mask
from ingestion.services.data.tables import DatasetTable, known_model, opened
from ingestion.services.freshness.datasets import freshness
from ingestion.warehouse_urls import is_delta

_SHOWN: Final = (
    *("crm_source", "crm_title", "model", "freshness", "last_success_at", "last_run_at"),
    *("due_at", "late_since"),
)


def catalog(crm_source: str | None = None) -> list[dict[str, Any]]:
    """Every dataset, or those of a CRM; the warehouse itself is not asked. Raises DatabaseError."""
    counted, place = stored_figures(), _place()
    return [
        {
            **{name: one[name] for name in _SHOWN},
            "table": place.format(crm=one["crm_source"], table=one["model"]),
            **shown(counted.get((one["crm_source"], one["model"]))),
        }
        for one in json.loads(freshness().body)["datasets"]
        if crm_source in (None, one["crm_source"])
    ]


def dataset(crm_source: str, model: str) -> dict[str, Any]:
    """One of them with its columns. Raises UnknownDataset, WarehouseAway and DatabaseError."""
    known_model(crm_source, model)
    (entry,) = (one for one in catalog(crm_source) if one["model"] == model)
    profile = stored_figures().get((crm_source, model))
    with opened(crm_source, model) as found:
        counted = profile.columns if profile else {}
        columns = [_column(name, found, counted.get(name, {})) for name in found.types]
        key = found.key
    sampled = profile.sampled_rows if profile else None
    return {**entry, "key": key, "sampled_rows": sampled, "columns": columns}


def _column(name: str, found: DatasetTable, counted: dict[str, Any]) -> dict[str, Any]:
    field = found.fields.get(name)
    return {
        "name": name,
        "type": found.types[name],
        "field": field,
        "comment": comment(found.crm_source, name, field),
        "is_key": name in found.key,
        "mask": str(found.masks.get(name, Mask.NONE)),
        "filled": counted.get("filled"),
        "distinct": counted.get("distinct"),
    }


def _place() -> str:
    """A pattern of where a table stands: its schema, with SQLite its file, or with Delta its folder."""
    url = warehouse_conf().url
    if is_delta(url):
        return "{crm}/{table}"
    if not url.startswith("sqlite"):
        return "{crm}.{table}"
    main = Path(url.partition(":///")[2])
    return f"{main.stem}__{{crm}}{main.suffix}: {{table}}"
