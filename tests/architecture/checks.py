"""What must be true of the layout; each check yields a sentence per fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture.exceptions import FLAT, FOR_ALL, NO_ROOMS
from tests.architecture.imports import Edges, Imports, circle, longest_chain, room_edges
from tests.architecture.rooms import PACKAGES, Room, packages
from tests.architecture.written import wanted_texts

LONGEST_CHAIN, LONGEST_FILE, FULLEST_FOLDER = 18, 400, 15
SOURCES = (*PACKAGES, "tests", "benchmarks", "static/ingestion/js", "templates")
SUFFIXES = frozenset({".py", ".lua", ".sql", ".js", ".css", ".html"})
GENERATED = "sync_*.py"  # the command stubs that makecommands writes


def faults(root: Path, rooms: Mapping[str, Room], imports: Imports) -> Iterator[str]:
    yield from _circles(imports.files, rooms)
    if not circle(imports.at_run_time):
        yield from _long_chain(imports.at_run_time)
    yield from _undeclared(imports.files, rooms)
    yield from _long_files(root)
    yield from _full_folders(root)
    yield from _outdated(root, rooms, imports.files)


def _circles(files: Edges, rooms: Mapping[str, Room]) -> Iterator[str]:
    for kind, edges in (("files", files), ("rooms", room_edges(files, rooms))):
        if found := circle(edges):
            yield f"These {kind} import each other in a circle: {' -> '.join(found)}."


def _long_chain(files: Edges) -> Iterator[str]:
    chain = longest_chain(files)
    if len(chain) > LONGEST_CHAIN:
        yield (
            f"A chain of imports is {len(chain)} files long, {LONGEST_CHAIN} are allowed: "
            f"{' -> '.join(chain)}."
        )


def _undeclared(files: Edges, rooms: Mapping[str, Room]) -> Iterator[str]:
    """What a room's docstring does not say that it uses."""
    for name, others in sorted(room_edges(files, rooms).items()):
        if name in rooms:
            for other in sorted(others):
                if not _is_allowed(other, rooms[name]):
                    yield (
                        f"{name} imports {other}, which 'May use' of its __init__.py does not name."
                    )


def _is_allowed(other: str, room: Room) -> bool:
    """A folder that is no room itself stands for the rooms in it."""
    return other in FOR_ALL or any(
        other == name or (name in NO_ROOMS and other.startswith(f"{name}."))
        for name in room.may_use
    )


def _long_files(root: Path) -> Iterator[str]:
    for path in _sources(root):
        count = len(path.read_text("utf-8").splitlines())
        if count > LONGEST_FILE:
            yield f"{path.relative_to(root)} has {count} lines; {LONGEST_FILE} are allowed."


def _sources(root: Path) -> Iterator[Path]:
    for folder in SOURCES:
        yield from (p for p in sorted((root / folder).rglob("*")) if p.suffix in SUFFIXES)


def _full_folders(root: Path) -> Iterator[str]:
    for package in packages(root):
        for folder in sorted(p for p in (root / package).rglob("*") if p.is_dir()):
            short = folder.relative_to(root).as_posix()
            left_out = {folder / "__init__.py", *folder.glob(GENERATED)}
            modules = set(folder.glob("*.py")) - left_out
            if len(modules) > FULLEST_FOLDER and folder.name not in FLAT:
                yield (
                    f"{short}/ holds {len(modules)} modules; {FULLEST_FOLDER} are allowed: "
                    "divide it into rooms."
                )


def _outdated(root: Path, rooms: Mapping[str, Room], files: Edges) -> Iterator[str]:
    for name, text in wanted_texts(root, rooms, room_edges(files, rooms)).items():
        if (root / name).read_text("utf-8") != text:
            yield f"{name} is not what the code says: run python -m tests.architecture."
