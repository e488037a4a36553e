"""Which CRMs the sandbox serves here, with made-up data."""

from __future__ import annotations

from ingestion.conf import is_of_running_system
from ingestion.sync.common.registry import crms


def sandboxed_crms() -> tuple[str, ...]:
    """Those whose address or credentials come from the running system, as only ``manage.py up``
    sets them, and only to its sandbox."""
    return tuple(
        found.name
        for found in crms().values()
        if any(is_of_running_system(setting.name) for setting in found.settings)
    )
