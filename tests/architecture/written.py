"""What is written from the code: contracts about private modules, the diagram, the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.architecture.diagram import diagram
from tests.architecture.exceptions import NO_ROOMS, UNDIVIDED
from tests.architecture.imports import Edges
from tests.architecture.rooms import Room, folders, is_room, name_of, purpose_of

CONTRACTS, ARCHITECTURE = ".importlinter", "docs/worker_pool_architecture.md"


class NoMarkers(ValueError):
    """A file has lost the lines between which something is written."""


def wanted_texts(root: Path, rooms: Mapping[str, Room], between_rooms: Edges) -> dict[str, str]:
    """Every file that holds something written, by its path, as it must be."""
    pages = (root / ARCHITECTURE).read_text("utf-8")
    pages = _put(pages, "<!-- {} imports -->", "\n".join(diagram(between_rooms, rooms)))
    pages = _put(pages, "<!-- {} folders -->", "\n".join(_table(root)))
    contracts = (root / CONTRACTS).read_text("utf-8")
    contracts = _put(contracts, "# {} private modules", "\n\n".join(_contracts(rooms)))
    return {CONTRACTS: contracts, ARCHITECTURE: pages}


def _put(text: str, marker: str, written: str) -> str:
    """``text`` with ``written`` between its two markers."""
    begin, end = marker.format("begin"), marker.format("end")
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise NoMarkers(f"The lines {begin!r} and {end!r} are missing.")
    return f"{before}{begin}\n\n{written}\n\n{end}{after}"


def _contracts(rooms: Mapping[str, Room]) -> Iterator[str]:
    yield _order_of_the_pool(rooms["ingestion.pool"])
    for name, room in sorted(rooms.items()):
        if room.private:
            yield _private_modules(name, room)


def _order_of_the_pool(pool: Room) -> str:
    """The two stores stand above the rules, and neither knows the other."""
    rules = " : ".join(f"ingestion.pool.{module}" for module in pool.modules)
    return (
        "[importlinter:contract:stores]\n"
        "name = The stores stand beside each other, above the rules of the pool\n"
        "type = layers\n"
        "layers =\n"
        "    ingestion.pool.memory | ingestion.pool.redis\n"
        f"    {rules}"
    )


def _private_modules(name: str, room: Room) -> str:
    short = name.removeprefix("ingestion.")
    importers = [name, *(["ingestion.sync.*.tests"] if name.startswith("ingestion.sync") else [])]
    return (
        f"[importlinter:contract:private-{short.replace('.', '-')}]\n"
        f"name = {short} keeps its private modules to itself\n"
        "type = protected\n"
        f"protected_modules =\n{_lines(room.private)}\n"
        f"allowed_importers =\n{_lines(importers)}\n"
        "broken_contract_guidance =\n"
        f"    Its entry points, as its __init__.py names them: {', '.join(room.entry_points) or 'none'}."
    )


def _lines(names: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"    {name}" for name in names)


def _table(root: Path) -> Iterator[str]:
    """Without the folders of the CRMs, which are all alike."""
    yield "| folder | what it holds |"
    yield "|---|---|"
    for folder in folders(root):
        name = name_of(folder, root)
        if is_room(folder, root) or name in NO_ROOMS or name in UNDIVIDED:
            yield f"| `{name.replace('.', '/')}/` | {_escaped(purpose_of(folder))} |"


def _escaped(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")
