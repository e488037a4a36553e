"""Serves the API's old names: paths, actions of a bulk request, and keys of its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ninja import Router
from ninja.operation import PathView

from ingestion.deprecated_names import API_ACTIONS, API_PATHS, JSON_KEYS


def current_action(action: object) -> object:
    """The new name of an old action; anything else as it is."""
    return API_ACTIONS.get(action, action) if isinstance(action, str) else action


def add_old_paths(router: Router) -> None:
    """Serve what the router has under its old paths too."""
    router.path_operations.update(_old_views(router))


def _old_views(router: Router) -> Iterator[tuple[str, PathView]]:
    for old, new in API_PATHS.items():
        if new in router.path_operations:
            view = router.path_operations[new].clone()
            for operation in view.operations:
                operation.include_in_schema = False
            yield old, view


def add_old_keys(schema: dict[str, Any]) -> None:
    """Describe each old key of an object as the new one, and as deprecated."""
    properties = schema.get("properties", {})
    for new, old in JSON_KEYS.items():
        if new in properties:
            # Generators of clients name a type after the title.
            title = old.replace("_", " ").title()
            properties[old] = {**properties[new], "title": title, "deprecated": True}
        if new in schema.get("required", ()):
            schema["required"].append(old)
