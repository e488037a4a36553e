"""Public names of older releases go on working; this is their whole list."""

from __future__ import annotations

from ingestion import deprecated_names
from ingestion.deprecated_names import with_old_keys


def test_the_old_keys_of_json_objects() -> None:
    assert deprecated_names.JSON_KEYS == {
        "coalesced": "merged",
        "coalesced_into": "absorbed_by",
        "dead_letter_count": "set_aside_count",
        "dead_letters": "set_aside",
        "repair": "cure",
        "repaired": "healed",
    }


def test_an_old_key_stands_beside_the_new_one_with_its_value() -> None:
    assert with_old_keys({"repaired": 3, "lost": 1}) == {"repaired": 3, "healed": 3, "lost": 1}


def test_the_old_names_of_metrics() -> None:
    assert deprecated_names.METRICS == {
        "worker_pool_dead_letter_entries": "worker_pool_set_aside_entries",
        "worker_pool_direct_runs": "worker_pool_outside_runs",
    }


def test_the_old_paths_of_the_api() -> None:
    assert deprecated_names.API_PATHS == {
        "/status/": "/status",
        "/doctor/heal": "/doctor/repair",
        "/tasks/{task_id}/priority": "/tasks/{task_id}/prioritize",
    }


def test_the_old_actions_of_a_bulk_request() -> None:
    assert deprecated_names.API_ACTIONS == {"priority": "prioritize", "front": "move_to_front"}
