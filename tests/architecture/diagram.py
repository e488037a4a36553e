"""Who imports whom, as a diagram in Mermaid."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from tests.architecture.exceptions import FOR_ALL
from tests.architecture.imports import Edges

# What Django finds by name, wiring, what all may use; tests of CRM folders are left out too.
NOT_DRAWN = (
    "data_warehouse",
    "ingestion.admin",
    "ingestion.apps",
    "ingestion.migrations",
    *FOR_ALL,
)
DRAWN_AS = {
    "ingestion.management.commands": "management/commands",
    "ingestion.management.sync_output": "management/sync",
    "ingestion.sync.": "sync/CRM",
}


def diagram(between_rooms: Edges, rooms: Container[str]) -> Iterator[str]:
    """An import that follows from others is left out, so that the lines stay few."""
    drawn = _drawn(between_rooms, rooms)
    yield "```mermaid"
    yield "flowchart TD"
    for name in sorted(set(drawn).union(*drawn.values())):
        yield f'    {_node(name)}["{name}"]'
    for name in sorted(drawn):
        for other in sorted(drawn[name] - _below(drawn, drawn[name])):
            yield f"    {_node(name)} --> {_node(other)}"
    yield "```"


def _drawn(between_rooms: Edges, rooms: Container[str]) -> dict[str, set[str]]:
    """By label, what a room imports; only those that import something."""
    found: dict[str, set[str]] = {}
    for name, others in between_rooms.items():
        here, imported = _label(name, rooms), {_label(other, rooms) for other in others}
        if here and (rest := imported - {here, ""}):
            found.setdefault(here, set()).update(rest)
    return found


def _label(name: str, rooms: Container[str]) -> str:
    """Empty where it is not drawn."""
    if name.startswith(NOT_DRAWN) or name.endswith(".tests") or name == "ingestion.sync":
        return ""
    for start, label in DRAWN_AS.items():
        if name.startswith(start) and name not in rooms:
            return label
    return name.removeprefix("ingestion.").replace(".", "/")


def _below(edges: Mapping[str, set[str]], names: set[str]) -> set[str]:
    """What is imported by one of ``names``, or by what it imports."""
    found: set[str] = set()
    rest = [other for name in names for other in edges.get(name, ())]
    while rest:
        name = rest.pop()
        if name not in found:
            found.add(name)
            rest += edges.get(name, ())
    return found


def _node(label: str) -> str:
    return label.replace("/", "_")
