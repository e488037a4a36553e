"""Lists that are paged by numbers and change while they are read: whoever was there from the
beginning to the end stands in the warehouse after the run, or the run says what it could not tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pytest_httpserver import HTTPServer

from tests.truth.lists import DIALECTS, Dialect, ShiftingList
from tests.truth.world import World

SIZE = 20
each_list = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def first_ids(count: int) -> list[int]:
    return list(range(1, count + 1))


def at(number: int, change: Callable[[], None]) -> Callable[[int], None]:
    """Once, after the answer of this number."""
    return lambda answered: change() if answered == number else None


@each_list
@pytest.mark.parametrize("gone", [1, 2, 15], ids=["one goes", "two go", "most of a page goes"])
def test_rows_that_go_hide_no_others(
    world: World, httpserver: HTTPServer, dialect: Dialect, gone: int
) -> None:
    rows = ShiftingList(dialect, first_ids(70))
    rows.begin(world, httpserver)
    rows.after_answer = at(1, lambda: rows.ids.__delitem__(slice(0, gone)))
    result = world.sync(dialect.model, batch_size=SIZE)
    assert set(rows.in_warehouse(world)) >= set(range(gone + 1, 71))
    assert result.warning is None
    rows.after_answer = lambda number: None
    world.sync(dialect.model, mode="full", batch_size=SIZE)
    assert set(rows.ids) <= set(rows.in_warehouse(world))


@each_list
def test_a_row_that_moves_to_the_front_is_read(
    world: World, httpserver: HTTPServer, dialect: Dialect
) -> None:
    rows = ShiftingList(dialect, first_ids(70))
    rows.begin(world, httpserver)
    rows.after_answer = at(1, lambda: rows.ids.insert(0, rows.ids.pop(64)))
    result = world.sync(dialect.model, batch_size=SIZE)
    assert rows.in_warehouse(world) == first_ids(70)
    assert result.warning is None


@each_list
def test_rows_that_come_at_the_front_hide_no_others(
    world: World, httpserver: HTTPServer, dialect: Dialect
) -> None:
    rows = ShiftingList(dialect, first_ids(70))
    rows.begin(world, httpserver)
    rows.after_answer = at(2, lambda: rows.ids.insert(0, 100))
    result = world.sync(dialect.model, batch_size=SIZE)
    assert rows.in_warehouse(world) == [*first_ids(70), 100]
    assert result.warning is None


@each_list
def test_a_list_that_never_rests_makes_the_run_partial(
    world: World, httpserver: HTTPServer, dialect: Dialect
) -> None:
    rows = ShiftingList(dialect, first_ids(70))
    rows.begin(world, httpserver)
    rows.after_answer = lambda number: rows.ids.insert(0, 100 + number)
    result = world.sync(dialect.model, batch_size=SIZE)
    assert "was changed each of the 4 times that it was read" in (result.warning or "")
    assert set(first_ids(70)) <= set(rows.in_warehouse(world))


@pytest.mark.parametrize(
    "dialect", [d for d in DIALECTS if not d.is_row], ids=lambda dialect: dialect.name
)
def test_a_list_with_pages_of_its_own_size_is_read_until_two_passes_agree(
    world: World, httpserver: HTTPServer, dialect: Dialect
) -> None:
    rows = ShiftingList(dialect, first_ids(70), own_size=SIZE)
    rows.begin(world, httpserver)
    rows.after_answer = at(3, lambda: rows.ids.remove(1))
    world.sync(dialect.model, batch_size=SIZE)
    assert set(rows.in_warehouse(world)) >= set(range(2, 71))


@each_list
def test_what_a_shift_would_hide_is_not_marked_as_deleted(
    world: World, httpserver: HTTPServer, dialect: Dialect
) -> None:
    rows = ShiftingList(dialect, first_ids(70))
    rows.begin(world, httpserver)
    world.sync(dialect.model, batch_size=SIZE)
    answered = rows.answers
    rows.after_answer = at(answered + 1, lambda: rows.ids.remove(5))
    world.sync(dialect.model, mode="full", batch_size=SIZE)
    assert set(rows.in_warehouse(world, deleted=True)) <= {5}
    world.sync(dialect.model, mode="full", batch_size=SIZE)
    assert rows.in_warehouse(world, deleted=True) == [5]
    assert rows.in_warehouse(world) == [i for i in first_ids(70) if i != 5]
