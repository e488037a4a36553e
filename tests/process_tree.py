"""Which process started which, read from /proc: Linux only, elsewhere there are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def parents() -> dict[int, int]:
    """The parent of every process of this machine, by pid."""
    return {pid: parent for pid in _pids() if (parent := _parent_of(pid))}


def children(pid: int) -> set[int]:
    return {child for child, parent in parents().items() if parent == pid}


def descendants(ancestors: set[int]) -> set[int]:
    """Their children, the children of those, and so on."""
    by_child = parents()
    found: set[int] = set()
    while new := {c for c, p in by_child.items() if p in ancestors | found} - found:
        found |= new
    return found


def having(variable: str) -> set[int]:
    """Those that began with ``variable`` (``NAME=value``) in their environment and show it still:
    servers that set their title, as Redis does, write over it."""
    return {pid for pid in _pids() if variable in _strings(pid, "environ")}


def command_of(pid: int) -> str:
    """Empty for one that has just gone."""
    return " ".join(_strings(pid, "cmdline")).strip()


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in _PROC.glob("[0-9]*"))


def _strings(pid: int, file: str) -> list[str]:
    """None of one that has just gone, or that belongs to somebody else."""
    try:
        return _PROC.joinpath(str(pid), file).read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def _parent_of(pid: int) -> int:
    """0 for one that has just gone."""
    try:
        stat = _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return 0
    return int(stat.rpartition(")")[2].split()[1])
