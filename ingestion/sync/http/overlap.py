"""Reads a list by pages that overlap, so that a row that goes meanwhile hides no other.

A list that is paged by numbers shifts when a row before the place that was read goes: all others
move up, and the next page begins after a row that no page has had. So each page begins with rows
that the one before ended with. Where it does not, reading steps back until it does, and all is read
again, as where rows have come before that place or were moved there: until a pass finds nothing new.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Page, Record
from ingestion.sync.http.pagination import require_whole, sends_again

MOST_PASSES = 4
MOST_STEPS_BACK = 20
MOST_SHARED = 10


@dataclass(frozen=True)
class Rows:
    """One answer. ``has_more``: whether the list says that it goes on; None where it does not tell."""

    records: list[Record]
    has_more: bool | None = None


@dataclass(frozen=True)
class Place:
    """A page as it is asked for: its number, from 1 on, among pages of this size; or its first row,
    from 0 on, and its size."""

    page: int
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


Ask = Callable[[Place], Rows]
# The next page: after so many rows, of at most this size.
NextPlace = Callable[[int, int], Place]


def by_row(read: int, size: int) -> Place:
    """For a list that takes the number of its first row."""
    return Place(1, read - _shared(read, size), size)


def by_page(read: int, size: int) -> Place:
    """For a list of numbered pages. They overlap when their size changes: after a page of 100 rows
    the second page of 98 begins at row 98."""
    for shared in (_shared(read, size), 1):
        sizes = range(size, max(size // 2 - 1, 0), -1)
        pages = [(read - shared) // n for n in sizes]
        places = [Place(p + 1, p * n, n) for p, n in zip(pages, sizes, strict=True)]
        best = max(places, key=lambda place: place.end)
        if best.end > read:
            return best
    return Place(read // size + 1, read // size * size, size)


def _shared(read: int, size: int) -> int:
    return min(read, MOST_SHARED, max(size // 10, 1), size - 1)


class _SizeIgnored(Exception):
    """The list has pages of a size of its own, so they cannot overlap."""


@dataclass
class OverlappingPages:
    """One reading of one list.

    ``label`` is for messages; ``key`` tells the records apart. ``may_be_whole``: a list that sends
    its page again may know no pages, and has given everything then.
    """

    label: str
    ask: Ask
    size: int
    next_place: NextPlace = by_page
    may_be_whole: bool = False
    key: tuple[str, ...] = ("id",)
    _seen: set[Any] = field(default_factory=set)
    # Keys of the rows by their places, as far as this pass has come.
    _order: list[Any] = field(default_factory=list)
    _is_disturbed: bool = False
    _is_cut: bool = False  # the pass ended before the list did
    _first_rows: int = 0  # how many the first page had

    def pages(self) -> Iterator[Page]:
        """Each record once; at the end ``unread`` where some may have been missed. Raises
        PermanentError for a list that sends the same page for ever."""
        read: Callable[[], Iterator[Page]] = self._overlapping
        count = None
        for _ in range(MOST_PASSES):
            self._order, self._is_disturbed, self._is_cut = [], False, False
            try:
                yield from read()
            except _SizeIgnored:
                read, count = self._numbered, None
                continue
            if not self._is_disturbed or (len(self._seen) == count and not self._is_cut):
                return
            count = len(self._seen)
        yield Page(
            (),
            unread=f"{self.label} was changed each of the {MOST_PASSES} times that it was read, so"
            " records may have been missed",
        )

    def _overlapping(self) -> Iterator[Page]:
        place, size, steps_back = Place(1, 0, self.size), self.size, 0
        while True:
            read = len(self._order)
            answer = self.ask(place)
            keys = self._keys(answer.records)
            self._first_rows = self._first_rows if place.start else len(keys)
            if place.start and self._is_first_page(place, keys):
                self._end_of_repeated()
                return
            follows = self._follows(place, keys)
            if place.start and len(keys) > place.size:
                raise _SizeIgnored
            yield self._page(answer.records, keys)
            if not follows:
                if not steps_back and not self._heeds_size(place):
                    raise _SizeIgnored
                steps_back, self._is_disturbed = steps_back + 1, True
                if steps_back > MOST_STEPS_BACK:
                    self._is_cut = True
                    return
                del self._order[max(place.start - size, 0) :]
            elif self._is_last(answer, place, keys, read):
                return
            elif not place.start and len(keys) < place.size:
                size = len(keys) or size
                if answer.has_more is None:
                    beyond = self._beyond_short_page()
                    if beyond is None:
                        return
                    yield beyond
            place = self.next_place(len(self._order), size) if self._order else Place(1, 0, size)

    def _numbered(self) -> Iterator[Page]:
        """Pages that cannot overlap: only a second pass shows whether they have shifted."""
        number = 1
        while True:
            answer = self.ask(Place(number, (number - 1) * self.size, self.size))
            keys = self._keys(answer.records)
            self._first_rows = self._first_rows if number > 1 else len(keys)
            if keys and keys == self._order:
                self._end_of_repeated()
                return
            yield self._page(answer.records, keys)
            if not keys or answer.has_more is False:
                return
            self._is_disturbed, self._order = number > 1 or bool(answer.has_more), keys
            number += 1

    def _follows(self, place: Place, keys: list[Any]) -> bool:
        """Whether a page begins with a row that was read. Notes where the rows stand now."""
        order, shared = self._order, self._order[place.start :]
        if place.start and not shared:
            self._is_disturbed = True  # these pages do not overlap: nothing is proven
        if keys[: len(shared)] == shared:
            order[place.start :] = keys
            return True
        if not keys or keys[0] not in order:
            return False
        was = order.index(keys[0])
        gone = was - place.start
        if gone <= 0 or keys[: len(order) - was] != order[was:]:
            self._is_disturbed = True
        self._order = [None] * max(-gone, 0) + order[max(gone, 0) : was] + keys
        return True

    def _is_last(self, answer: Rows, place: Place, keys: list[Any], read: int) -> bool:
        """``read``: how many rows were read before this page."""
        if answer.has_more is None:
            return not keys or (place.start > 0 and len(keys) < place.size)
        if answer.has_more and keys and len(self._order) <= read:
            self._is_disturbed = self._is_cut = True  # it says that it goes on, and does not
        return not answer.has_more or not keys or len(self._order) <= read

    def _is_first_page(self, place: Place, keys: list[Any]) -> bool:
        """Whether the page was ignored that was asked for; else as many rows came as to move the
        first ones there."""
        if not keys or keys != self._order[: len(keys)]:
            return False
        return len(keys) > place.size or keys == self._keys(
            self.ask(Place(1, 0, place.size)).records
        )

    def _beyond_short_page(self) -> Page | None:
        """What comes after a first page that is not full, which nothing says to be the last: the
        list may have smaller pages than were asked for. None where there is nothing."""
        answer = self.ask(Place(2, len(self._order), self.size))
        keys = self._keys(answer.records)
        if keys == self._order:
            self._end_of_repeated()
            return None
        if not set(keys).isdisjoint(self._order):
            self._is_disturbed = True
        return self._page(answer.records, keys) if keys else None

    def _end_of_repeated(self) -> None:
        if not self.may_be_whole:
            raise PermanentError(sends_again(self.label))
        require_whole(
            self.label,
            self._first_rows,
            size=self.size,
            ask=lambda size: len(self.ask(Place(1, 0, size)).records),
        )

    def _heeds_size(self, place: Place) -> bool:
        return place.size < 2 or len(self.ask(Place(1, 0, place.size - 1)).records) < place.size

    def _page(self, records: Iterable[Record], keys: list[Any]) -> Page:
        new = [r for r, key in zip(records, keys, strict=True) if key not in self._seen]
        self._seen.update(keys)
        return Page(new)

    def _keys(self, records: Iterable[Record]) -> list[Any]:
        return [self._key(record) for record in records]

    def _key(self, record: Record) -> Any:
        values = tuple(record.get(name) for name in self.key)
        return json.dumps(record, sort_keys=True, default=str) if None in values else values
