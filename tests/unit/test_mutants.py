"""The mutations that ``make mutants`` puts into the code are those of its operators."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.mutants.areas import AREAS
from tests.mutants.forked import NO_END, answers_of_child
from tests.mutants.lua_source import lua_mutations
from tests.mutants.mutation import sample
from tests.mutants.python_source import python_mutations
from tests.mutants.scopes import SCOPES, chosen, mutations_of

ROOT = Path(__file__).parents[2]

PYTHON = '''"""A docstring with 1 and <."""
from typing import Final, Literal
LIMIT: Final[Literal["a"]] = 3


def é(a: int, b) -> str:
    """Another: a < b."""
    if a < b and not b:
        raise ValueError("x")
    note(a, b, of="é", to=a)
    return f"DELETE FROM {a == b} WHERE x IS NULL AND y = 1"
'''
LUA = """-- if a < b then 1
local function f(a, b)
  if a == b then
    redis.call('DEL', a)
  end
  return 'x', 1
end
"""


def changes(mutations: list) -> set[tuple[str, str, str]]:
    return {(m.operator, m.before.strip(), m.after.strip()) for m in mutations}


def test_the_mutations_of_python() -> None:
    assert changes(python_mutations("f.py", PYTHON)) == {
        ("constant", "3", "4"),
        ("comparison", "<", "<="),
        ("comparison", "<", ">="),
        ("comparison", "and", "or"),
        ("comparison", "not b", "b"),
        ("constant", '"x"', "'xx'"),
        ("dropped statement", 'raise ValueError("x")', "pass"),
        ("dropped statement", 'note(a, b, of="é", to=a)', "pass"),
        ("swapped argument", "a, b", "b, a"),
        ("swapped argument", '"é", to=a', 'a, to="é"'),
        ("constant", '"é"', "'éx'"),
        ("comparison", "IS NULL", "IS NOT NULL"),
        ("comparison", "AND", "OR"),
        ("comparison", "=", "<>"),
    }


def test_the_mutations_of_lua() -> None:
    assert changes(lua_mutations("f.lua", LUA)) == {
        ("comparison", "==", "~="),
        ("dropped statement", "redis.call('DEL', a)", ""),
        ("swapped argument", "'DEL', a", "a, 'DEL'"),
        ("constant", "'DEL'", "'DELx'"),
        ("constant", "'x'", "'xx'"),
        ("constant", "1", "2"),
    }


def test_a_mutation_changes_its_place_and_nothing_else() -> None:
    source = PYTHON.encode()
    (dropped,) = [m for m in python_mutations("f.py", PYTHON) if m.before.startswith("note")]
    assert dropped.name == ('f.py:é: dropped statement: note(a, b, of="é", to=a) -> pass')
    assert dropped.applied(source) == source.replace('note(a, b, of="é", to=a)'.encode(), b"pass")


def test_equals_are_told_apart_by_their_number() -> None:
    names = [m.name for m in python_mutations("f.py", "a = b == c == d\n")]
    assert names == ["f.py: comparison: == -> !=", "f.py: comparison: == -> != #2"]


def test_a_sample_is_drawn_by_its_seed_from_every_operator() -> None:
    mutations = python_mutations("f.py", PYTHON)
    drawn = sample(mutations, 8, seed=7)
    assert drawn == sample(mutations, 8, seed=7)
    assert drawn != sample(mutations, 8, seed=8)
    assert len({m.name for m in drawn}) == 8
    assert len({m.operator for m in drawn[:4]}) == 4


@pytest.mark.parametrize("name", SCOPES)
def test_a_mutant_of_python_is_a_program(name: str) -> None:
    scope = SCOPES[name]
    assert all((ROOT / path).exists() for path in scope.tests if path.startswith("tests/"))
    mutations = scope.mutations(ROOT)
    assert len({m.name for m in mutations}) == len(mutations) >= 10
    for mutation in sample(mutations, 30, seed=0):
        if mutation.path.endswith(".py"):
            ast.parse(mutation.applied((ROOT / mutation.path).read_bytes()))


def test_scopes_are_named_one_by_one_or_together() -> None:
    assert list(chosen(["load.hash"])) == ["load.hash"]
    assert len(chosen(["load"])) > 1
    with pytest.raises(KeyError):
        chosen(["nothing"])


def test_the_command_runs_outside_django() -> None:
    command = [sys.executable, "-m", "tests.mutants", "load.hash", "--list", "--seed", "1"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert listed.returncode == 0, listed.stderr
    assert len(listed.stdout.splitlines()) == 1 + 10


@pytest.mark.parametrize("name", AREAS)
def test_every_file_of_an_area_has_mutations_and_syncs_that_use_it(name: str) -> None:
    area = AREAS[name]
    for path, within in area.files:
        found = [m for m in mutations_of(ROOT, path) if m.within.startswith(within)]
        assert found, (path, within)
        assert area.lives_of(path)
    assert len(area.mutations(ROOT)) > 100


@pytest.mark.parametrize("name", AREAS)
def test_every_life_of_an_area_is_there(name: str) -> None:
    for life in AREAS[name].all_lives:
        module, _, own = life.partition(".")
        assert own in import_module(f"tests.mutants.lives.{module}").LIVES, life


def test_a_child_that_dies_of_a_question_is_followed_by_another_one() -> None:
    asks = [lambda: "first", lambda: os._exit(1), os.getpid, lambda: 1 / 0, lambda: "last"]
    told = list(answers_of_child(asks, None))
    assert told[:2] == ["first", NO_END]
    assert told[2] != os.getpid()
    assert told[3:] == ["ZeroDivisionError: division by zero", "last"]


@pytest.mark.parametrize("listed", ["named.toml", "equivalent.toml"])
def test_what_is_listed_by_name_is_generated(listed: str) -> None:
    found = tomllib.loads((ROOT / "tests/mutants" / listed).read_text())
    names = found.values() if listed == "named.toml" else found
    files = {path for scope in SCOPES.values() for path in scope.files}
    files |= {path for area in AREAS.values() for path, _ in area.files}
    generated = {m.name for path in files for m in mutations_of(ROOT, path)}
    assert set(names) - generated == set()


def test_a_moment_taken_late_asks_the_clock_again() -> None:
    source = "def f(self):\n    began = self._clock()\n    g()\n    return h() - began\n"
    assert ("moment taken late", "began", "self._clock()") in changes(
        python_mutations("f.py", source)
    )


def test_a_part_of_a_moment_is_no_clock() -> None:
    source = "def f(at):\n    told = (at + DAY).time()\n    return told\n"
    assert python_mutations("f.py", source) == []
