"""``python -m tests.architecture``: writes what follows from the layout, or checks it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.architecture.checks import LONGEST_CHAIN, faults
from tests.architecture.imports import circle, longest_chain, read_imports, room_edges
from tests.architecture.rooms import Undescribed, read_rooms
from tests.architecture.written import NoMarkers, wanted_texts

ROOT = Path(__file__).parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.architecture", description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing, name every fault.")
    try:
        return _check() if parser.parse_args().check else _write()
    except (Undescribed, NoMarkers) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


def _write() -> int:
    rooms = read_rooms(ROOT)
    edges = room_edges(read_imports(ROOT).files, rooms)
    for name, text in wanted_texts(ROOT, rooms, edges).items():
        if (ROOT / name).read_text("utf-8") != text:
            (ROOT / name).write_text(text, "utf-8")
            sys.stdout.write(f"{name} written\n")
    return 0


def _check() -> int:
    rooms, imports = read_rooms(ROOT), read_imports(ROOT)
    found = list(faults(ROOT, rooms, imports))
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if not circle(imports.at_run_time):
        length = len(longest_chain(imports.at_run_time))
        sys.stdout.write(f"Longest chain of imports: {length} files, {LONGEST_CHAIN} allowed.\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
