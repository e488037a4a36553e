"""Who imports whom: between files, and between rooms."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

from tests.architecture.rooms import Room, packages, undivided

Edges = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Imports:
    """``files``: each module with what it imports, for types too. ``at_run_time``: without what
    stands under TYPE_CHECKING."""

    files: Edges
    at_run_time: Edges


def read_imports(root: Path) -> Imports:
    with _importable(root):
        names = packages(root)
        return Imports(_edges(names, types_too=True), _edges(names, types_too=False))


def _edges(names: tuple[str, ...], *, types_too: bool) -> Edges:
    graph = grimp.build_graph(*names, cache_dir=None, exclude_type_checking_imports=not types_too)
    return {m: frozenset(graph.find_modules_directly_imported_by(m)) for m in graph.modules}


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    """grimp finds packages as Python does."""
    before = list(sys.path)
    sys.path.insert(0, os.fspath(root))
    try:
        yield
    finally:
        sys.path[:] = before


def circle(edges: Edges) -> tuple[str, ...]:
    """One circle, its first member again at its end; empty where there is none."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as found:
        members: list[str] = found.args[1]
        return tuple(reversed(members))
    return ()


def longest_chain(edges: Edges) -> tuple[str, ...]:
    """The most files of which each imports the next. ``edges`` must have no circle."""
    chains: dict[str, tuple[str, ...]] = {}
    for module in TopologicalSorter(edges).static_order():
        below = [chains[name] for name in sorted(edges.get(module, ()))]
        chains[module] = (module, *max(below, key=len, default=()))
    return max(chains.values(), key=len, default=())


def room_edges(files: Edges, rooms: Mapping[str, Room]) -> Edges:
    """The same between rooms; a module that is in no room stands for itself."""
    found: dict[str, set[str]] = {}
    for module, imported in files.items():
        here = room_of(module, rooms)
        found.setdefault(here, set()).update(room_of(name, rooms) for name in imported)
    return {name: frozenset(others - {name}) for name, others in found.items()}


def room_of(module: str, rooms: Mapping[str, Room]) -> str:
    """Its room, the CRM to which it belongs, or the module itself."""
    for name in (module, module.rpartition(".")[0]):
        if name in rooms:
            return name
    parts = module.split(".")
    if parts[:2] == ["ingestion", "sync"] and len(parts) > 2:
        return ".".join(parts[:3]) + (".tests" if "tests" in parts else "")
    return undivided(module) or module
