"""Whether a warehouse is new, so that it is loaded for the first time by itself."""

from __future__ import annotations

from ingestion.models import SyncHistory, SyncSchedule


def is_new() -> bool:
    """Nothing was ever run or scheduled here. Raises DatabaseError."""
    return not (SyncHistory.objects.exists() or SyncSchedule.objects.exists())
