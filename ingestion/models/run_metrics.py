"""What a run reported of its models, read from ``SyncHistory.performance_metrics``.

Rows come from older versions, other programs and hands: what cannot be read counts as not reported,
so that one odd row breaks no page and no report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

COUNTS = (
    *("processed", "created", "updated", "deleted", "failed"),
    *("requests", "throttled", "bytes_read"),
)
TEXTS = ("watermark", "warning", "error", "skipped")


def reported_models(metrics: object) -> list[dict[str, Any]]:
    """One dict per model, with the fields of ``ModelResult`` and no others: ``model`` is '' where it
    was not named, counts are whole numbers, ``seconds`` numbers by step, texts are None when absent."""
    found = metrics.get("models") if isinstance(metrics, Mapping) else None
    if not isinstance(found, list):
        return []
    return [_read(model) for model in found if isinstance(model, Mapping)]


def _read(model: Mapping[str, Any]) -> dict[str, Any]:
    changes = model.get("schema_changes")
    return {
        "model": str(model.get("model") or ""),
        **{name: int(model[name]) for name in COUNTS if _is_number(model.get(name))},
        **{name: 0 for name in COUNTS if not _is_number(model.get(name))},
        **{name: None if model.get(name) is None else str(model[name]) for name in TEXTS},
        "seconds": _seconds(model.get("seconds")),
        "schema_changes": [str(change) for change in changes] if isinstance(changes, list) else [],
    }


def reported_seconds(metrics: object) -> dict[str, float]:
    """How long the run's own steps took, beside those of its models."""
    return _seconds(metrics.get("seconds") if isinstance(metrics, Mapping) else None)


def _seconds(found: object) -> dict[str, float]:
    steps = found.items() if isinstance(found, Mapping) else ()
    return {str(step): value for step, value in steps if _is_number(value)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
