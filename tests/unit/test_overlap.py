"""Pages that overlap, over lists that change at random between two answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.http.overlap import OverlappingPages, Place, Rows, by_page, by_row


@dataclass
class Listed:
    """``most``: rows of a page at most, whatever is asked for; ``own``: rows of every page;
    ``tells``: whether it says that it goes on."""

    ids: list[int]
    most: int = 10**6
    own: int | None = None
    tells: bool = True
    is_by_row: bool = False
    change: Callable[[], None] = lambda: None
    asked: list[Place] = field(default_factory=list)

    def ask(self, place: Place) -> Rows:
        self.asked.append(place)
        size = self.own or min(place.size, self.most)
        start = place.start if self.is_by_row else (place.page - 1) * size
        rows = [{"id": i} for i in self.ids[start : start + size]]
        has_more = start + size < len(self.ids)
        self.change()
        return Rows(rows, has_more if self.tells else None)

    def read(self, size: int = 20) -> tuple[list[int], str]:
        """The ids that were read, and what may have been missed."""
        place = by_row if self.is_by_row else by_page
        reading = OverlappingPages("it", self.ask, size, place, may_be_whole=True)
        pages = list(reading.pages())
        unread = "; ".join(page.unread for page in pages if page.unread)
        return [row["id"] for page in pages for row in page.records], unread


@pytest.mark.parametrize("count", [0, 1, 19, 20, 21, 70, 400])
@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("is_by_row", [True, False])
def test_a_list_at_rest_comes_once(count: int, tells: bool, is_by_row: bool) -> None:
    listed = Listed(list(range(count)), tells=tells, is_by_row=is_by_row)
    assert listed.read() == (list(range(count)), "")
    assert len(listed.asked) <= 3 + count / 12


@pytest.mark.parametrize("tells", [True, False])
def test_smaller_pages_than_asked_for_lose_nobody(tells: bool) -> None:
    found, unread = Listed(list(range(90)), most=13, tells=tells).read()
    assert (sorted(found), unread) == (list(range(90)), "")


@pytest.mark.parametrize("own", [7, 20, 33])
def test_pages_of_another_size_lose_nobody(own: int) -> None:
    found, unread = Listed(list(range(90)), own=own).read()
    assert (sorted(set(found)), unread) == (list(range(90)), "")


def test_the_first_page_is_no_larger_than_asked_for() -> None:
    listed = Listed(list(range(90)))
    pages = OverlappingPages("it", listed.ask, 5).pages()
    assert len(next(pages).records) == 5


def test_a_list_that_sends_its_first_rows_for_ever_is_refused() -> None:
    def ask(place: Place) -> Rows:
        return Rows([{"id": i} for i in range(place.size)], has_more=True)

    with pytest.raises(PermanentError, match="same page again"):
        list(OverlappingPages("it", ask, 20).pages())


def test_a_list_that_says_for_ever_that_it_goes_on_is_not_believed() -> None:
    listed = Listed(list(range(45)))

    def ask(place: Place) -> Rows:
        return Rows(listed.ask(place).records, has_more=True)

    pages = list(OverlappingPages("it", ask, 20).pages())
    assert [row["id"] for page in pages for row in page.records] == list(range(45))


@pytest.mark.parametrize("seed", range(300))
def test_who_was_there_all_the_time_is_read_or_said_to_be_missing(seed: int) -> None:
    draw = random.Random(seed)
    kind = draw.choice(("goes", "comes", "moves", "any"))
    listed = Listed(
        list(range(draw.choice((5, 21, 70, 150, 333)))),
        most=draw.choice((10**6, 10**6, 13)),
        tells=draw.random() < 0.5,
        is_by_row=draw.random() < 0.3,
    )
    rate, steady = draw.choice((0.1, 0.3, 0.6)), set(listed.ids)

    def change() -> None:
        ids, what = listed.ids, kind if kind != "any" else draw.choice(("goes", "comes", "moves"))
        if not ids or draw.random() >= rate:
            return
        if what == "comes":
            ids.insert(draw.randint(0, len(ids)), 1000 + len(listed.asked))
            return
        row = ids.pop(draw.randrange(len(ids)))
        if what == "moves":
            ids.insert(draw.randint(0, len(ids)), row)
        else:
            steady.discard(row)

    listed.change = change
    found, unread = listed.read()
    assert unread or steady <= set(found)
