"""The rooms as their docstrings describe them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.architecture.exceptions import FULL_INITS, NO_ROOMS, UNDIVIDED

PACKAGES = ("data_warehouse", "ingestion", "sandbox")
ITSELF = "the package itself"
FORM = "what it is for; an empty line; 'May use: …'; 'Entry points: …'"


class Undescribed(ValueError):
    """A folder's docstring does not say what a room's must say."""


@dataclass(frozen=True)
class Room:
    """``may_use``: full names of rooms and modules. ``entry_points``: names of its own modules."""

    name: str
    folder: Path
    purpose: str
    may_use: tuple[str, ...]
    entry_points: tuple[str, ...]

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """The names of its modules."""
        found = (path.stem for path in sorted(self.folder.glob("*.py")))
        return tuple(name for name in found if name != "__init__")

    @property
    def private(self) -> tuple[str, ...]:
        """The full names of the modules that nobody outside may import."""
        return tuple(f"{self.name}.{m}" for m in self.modules if m not in self.entry_points)


def packages(root: Path) -> tuple[str, ...]:
    """Those that are there: the sandbox can be left out."""
    return tuple(name for name in PACKAGES if (root / name).is_dir())


def folders(root: Path) -> Iterator[Path]:
    """Every package of the program but tests."""
    for package in packages(root):
        for path in sorted((root / package).rglob("__init__.py")):
            if "tests" not in path.relative_to(root).parts:
                yield path.parent


def name_of(folder: Path, root: Path) -> str:
    return ".".join(folder.relative_to(root).parts)


def is_room(folder: Path, root: Path) -> bool:
    """CRM folders are none: each of them stands alone."""
    name = name_of(folder, root)
    if name in NO_ROOMS or undivided(name):
        return False
    return not any((above / "settings.py").exists() for above in _in_sync(folder, root))


def _in_sync(folder: Path, root: Path) -> list[Path]:
    """The folder, and those above it up to ``ingestion/sync/``."""
    sync = root / "ingestion" / "sync"
    return [path for path in (folder, *folder.parents) if sync in path.parents]


def undivided(name: str) -> str:
    """The folder that counts as one and to which a module or folder belongs, or an empty text."""
    return next((whole for whole in UNDIVIDED if f"{name}.".startswith(f"{whole}.")), "")


def read_rooms(root: Path) -> dict[str, Room]:
    """By full name. Raises Undescribed."""
    named = {name_of(folder, root): folder for folder in folders(root)}
    rooms = {name: folder for name, folder in named.items() if is_room(folder, root)}
    single = (
        f"{name}.{path.stem}"
        for name, folder in named.items()
        if name not in rooms
        for path in folder.glob("*.py")
    )
    known = {*named, *single}
    return {name: _room(name, folder, known) for name, folder in rooms.items()}


def purpose_of(folder: Path) -> str:
    """The first line of a folder's docstring. Raises Undescribed."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
    if not text:
        raise Undescribed(f"{folder}/__init__.py has no docstring that says what it is for.")
    return text.partition("\n")[0]


def _room(name: str, folder: Path, known: set[str]) -> Room:
    path = folder / "__init__.py"
    tree = ast.parse(path.read_text("utf-8"))
    if len(tree.body) > 1 and name not in FULL_INITS:
        raise Undescribed(f"{path} holds more than its docstring; importing a room starts nothing.")
    text = ast.get_docstring(tree) or ""
    room = Room(
        name,
        folder,
        purpose_of(folder),
        tuple(_full_name(word, name, known) for word in _listed(path, text, "May use")),
        tuple(w for w in _listed(path, text, "Entry points") if w != ITSELF),
    )
    if unknown := set(room.entry_points) - set(room.modules):
        raise Undescribed(f"{path} names entry points that do not exist: {', '.join(unknown)}.")
    return room


def _listed(path: Path, docstring: str, label: str) -> list[str]:
    """What stands behind ``label: `` up to a full stop at the end of a line."""
    found = re.search(rf"^{label}: (.+?)\.$", docstring, re.MULTILINE | re.DOTALL)
    if not found:
        raise Undescribed(f"{path}: its docstring must say {FORM}.")
    words = re.split(r",\s+", found[1])
    return [] if words[0] in ("nothing", "none") else words


def _full_name(word: str, room: str, known: set[str]) -> str:
    """A whole name as it is; else the nearest: a sibling, then one beside a folder above."""
    if word in known:
        return word
    above = room
    while "." in above:
        above = above.rpartition(".")[0]
        if f"{above}.{word}" in known:
            return f"{above}.{word}"
    raise Undescribed(f"{room}: 'May use' names {word}, which does not exist.")
