"""What the layout forbids is refused by name: in a copy of the program, with one file more."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.architecture.imports import circle, longest_chain
from tests.architecture.rooms import Undescribed, read_rooms

ROOT = Path(__file__).parents[2]
COPIED = ("data_warehouse", "ingestion", "sandbox", "tests/architecture", "docs")
ALONE = (".importlinter", "tests/__init__.py")
LINT = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
LAYOUT = [sys.executable, "-m", "tests.architecture", "--check"]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("program")
    unneeded = shutil.ignore_patterns("__pycache__", "*.wsdl", "*.json", "*.csv")
    for name in COPIED:
        shutil.copytree(ROOT / name, copy / name, ignore=unneeded)
    for name in ALONE:
        shutil.copy(ROOT / name, copy / name)
    return copy


class Draft:
    """Files written into the copy for one test; what stood there before comes back."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self._before: dict[Path, str | None] = {}

    def write(self, name: str, text: str) -> None:
        self.keep(name).write_text(text, "utf-8")

    def keep(self, name: str) -> Path:
        """It will stand there as it does now, whoever changes it meanwhile."""
        path = self.program / name
        self._before.setdefault(path, path.read_text("utf-8") if path.exists() else None)
        return path

    def run(self, command: list[str]) -> tuple[int, str]:
        """Its exit code and all that it printed, in one line."""
        done = subprocess.run(
            command, cwd=self.program, capture_output=True, text=True, timeout=120
        )
        return done.returncode, " ".join(f"{done.stdout} {done.stderr}".split())

    def undo(self) -> None:
        for path, text in self._before.items():
            if text is None:
                path.unlink()
            else:
                path.write_text(text, "utf-8")


@pytest.fixture
def draft(program: Path) -> Iterator[Draft]:
    made = Draft(program)
    yield made
    made.undo()


class TestImports:
    def test_the_program_as_it_is_passes(self, draft: Draft) -> None:
        assert draft.run(LINT)[0] == 0

    def test_an_import_against_the_order_of_rooms_is_refused_by_name(self, draft: Draft) -> None:
        draft.write("ingestion/services/infra/upward.py", "import ingestion.services.worker_pool\n")
        code, printed = draft.run(LINT)
        assert code == 1
        assert "ingestion.services.infra.upward -> ingestion.services.worker_pool" in printed

    def test_an_import_of_another_rooms_private_module_is_refused_by_name(
        self, draft: Draft
    ) -> None:
        draft.write("ingestion/views/peeking.py", "import ingestion.services.ledger.rows\n")
        code, printed = draft.run(LINT)
        assert code == 1
        assert "services.ledger keeps its private modules to itself BROKEN" in printed
        assert "ingestion.views.peeking" in printed

    def test_one_store_that_imports_the_other_is_refused_by_name(self, draft: Draft) -> None:
        draft.write("ingestion/pool/memory/borrowing.py", "import ingestion.pool.redis.store\n")
        code, printed = draft.run(LINT)
        assert code == 1
        assert "ingestion.pool.memory.borrowing -> ingestion.pool.redis.store" in printed


class TestLayout:
    def test_the_program_as_it_is_passes(self, draft: Draft) -> None:
        code, printed = draft.run(LAYOUT)
        assert code == 0, printed
        assert printed.startswith("Longest chain of imports:")

    def test_a_circle_of_files_is_named(self, draft: Draft) -> None:
        draft.write("ingestion/pool/one.py", "import ingestion.pool.two\n")
        draft.write("ingestion/pool/two.py", "import ingestion.pool.one\n")
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert "These files import each other in a circle: ingestion.pool." in printed

    def test_a_circle_of_rooms_is_named(self, draft: Draft) -> None:
        draft.write("ingestion/pool/down.py", "import ingestion.pool.redis.legacy\n")
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert "These rooms import each other in a circle: ingestion.pool" in printed

    def test_a_room_that_its_docstring_does_not_allow_is_named(self, draft: Draft) -> None:
        draft.write("ingestion/services/beat/more.py", "import ingestion.services.infra.cursor\n")
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert (
            "ingestion.services.beat imports ingestion.services.infra, which 'May use'" in printed
        )

    def test_a_file_that_is_too_long_is_named(self, draft: Draft) -> None:
        draft.write("ingestion/pool/long.py", "# one more line\n" * 401)
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert "ingestion/pool/long.py has 401 lines; 400 are allowed." in printed

    def test_a_folder_that_is_too_full_is_named(self, draft: Draft) -> None:
        there = len(list((draft.program / "ingestion/pool").glob("[!_]*.py")))
        for number in range(16 - there):
            draft.write(f"ingestion/pool/part_{number}.py", "")
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert "ingestion/pool/ holds 16 modules; 15 are allowed" in printed

    def test_a_new_private_module_asks_for_the_contracts_to_be_written(self, draft: Draft) -> None:
        draft.write("ingestion/services/ledger/more.py", "")
        draft.keep(".importlinter")
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert (
            ".importlinter is not what the code says: run python -m tests.architecture." in printed
        )
        assert draft.run(LAYOUT[:-1])[0] == 0  # writes what was missing
        assert draft.run(LAYOUT)[0] == 0

    def test_an_entry_point_that_does_not_exist_is_named(self, draft: Draft) -> None:
        draft.write(
            "ingestion/services/beat/__init__.py",
            '"""Beat.\n\nMay use: models.\nEntry points: entries, gone.\n"""\n',
        )
        code, printed = draft.run(LAYOUT)
        assert code == 1
        assert "names entry points that do not exist: gone." in printed

    def test_a_room_that_says_nothing_of_itself_is_refused(self, draft: Draft) -> None:
        draft.write("ingestion/services/beat/__init__.py", '"""Beat."""\n')
        with pytest.raises(Undescribed, match=r"beat/__init__\.py: its docstring must say"):
            read_rooms(draft.program)

    def test_a_room_that_imports_in_its_init_is_refused(self, draft: Draft) -> None:
        path = "ingestion/services/beat/__init__.py"
        draft.write(path, (draft.program / path).read_text("utf-8") + "\nimport os\n")
        with pytest.raises(Undescribed, match="holds more than its docstring"):
            read_rooms(draft.program)


class TestGraph:
    def test_a_circle_is_told_in_the_order_of_its_imports(self) -> None:
        edges = {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset("a"), "d": frozenset("a")}
        found = circle(edges)
        assert found[0] == found[-1]
        assert all(second in edges[first] for first, second in pairwise(found))

    def test_no_circle_where_two_ways_lead_to_one_file(self) -> None:
        edges = {"a": frozenset("bc"), "b": frozenset("d"), "c": frozenset("d"), "d": frozenset()}
        assert circle(edges) == ()

    def test_the_longest_chain_counts_files(self) -> None:
        edges = {"a": frozenset("bd"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset()}
        assert longest_chain(edges) == ("a", "b", "c", "d")
