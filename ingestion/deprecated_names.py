"""Old public names that go on working beside the new ones; the only file that may use them.

A key, metric or path may be dropped with the next major release.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# New JSON key -> the key that programs of an older release read.
JSON_KEYS: Mapping[str, str] = {
    "coalesced": "merged",
    "coalesced_into": "absorbed_by",
    "dead_letter_count": "set_aside_count",
    "dead_letters": "set_aside",
    "repair": "cure",
    "repaired": "healed",
}

# New metric name -> the name in older dashboards and alert rules.
METRICS: Mapping[str, str] = {
    "worker_pool_dead_letter_entries": "worker_pool_set_aside_entries",
    "worker_pool_direct_runs": "worker_pool_outside_runs",
}

# Old path of the API, below /api -> the new one.
API_PATHS: Mapping[str, str] = {
    "/status/": "/status",
    "/doctor/heal": "/doctor/repair",
    "/tasks/{task_id}/priority": "/tasks/{task_id}/prioritize",
}

# Old action of a bulk request -> the new one.
API_ACTIONS: Mapping[str, str] = {"priority": "prioritize", "front": "move_to_front"}


def with_old_keys(content: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object with the old key beside each renamed one, with the same value."""
    old = {JSON_KEYS[key]: value for key, value in content.items() if key in JSON_KEYS}
    return {**content, **old}
