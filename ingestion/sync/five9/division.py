"""Divides contacts into parts small enough for one lookup, by the characters that their values begin
or end with: ``6%`` into ``60%`` to ``69%`` and whatever other characters are known at that place."""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.five9.engines.admin import Contact, Criterion, Five9Admin
from ingestion.sync.five9.engines.faults import ARGUMENT_FAULTS, RefusedByFault
from ingestion.sync.five9.fields import key_of

WILDCARD = "%"
# In a pattern these mean other characters; "_" may (SQL's LIKE).
PATTERN_CHARACTERS = frozenset("%_")
NUMBER_FIELDS = frozenset({"number1", "number2", "number3"})
NUMBER_ENDS = string.digits + "+()*# "  # how numbers end
ASCII = "".join(map(chr, range(32, 127)))
TEXT_CHARACTERS = string.digits + string.ascii_letters + " .,-'`@+&#/()*\"!?:;"
# How names of other alphabets of Latin letters begin: À to Ž.
LATIN_LETTERS = "".join(c for c in map(chr, range(0xC0, 0x180)) if c.isupper())
LONGEST_PIECE = 64

Criteria = tuple[Criterion, ...]
# A part: the field, and what its values begin or end with.
Part = tuple[str, str]


def has_pattern(value: str) -> bool:
    """Whether a lookup of the value finds other values, too."""
    return not PATTERN_CHARACTERS.isdisjoint(value)


@dataclass
class Lookups:
    """The lookups of contacts that meet ``scope``; a full answer may lack some of them."""

    admin: Five9Admin
    record_limit: int
    scope: Criteria = ()
    count: int = 0

    def contacts(self, *criteria: Criterion) -> list[Contact]:
        self.count += 1
        return self.admin.contacts((*self.scope, *criteria))

    def is_cut(self, found: Sequence[Contact]) -> bool:
        return len(found) >= self.record_limit

    def whole(self, *criteria: Criterion) -> list[Contact]:
        """Raises PermanentError where the answer is cut off."""
        found = self.contacts(*criteria)
        if self.is_cut(found):
            raise self.cannot_divide(*criteria)
        return found

    def unless_refused(self, *criteria: Criterion) -> list[Contact] | None:
        """None where the domain does not take such criteria."""
        try:
            return self.contacts(*criteria)
        except RefusedByFault as refusal:
            if refusal.fault not in ARGUMENT_FAULTS:
                raise
            return None

    def cannot_divide(self, *criteria: Criterion) -> PermanentError:
        told = (*self.scope, *criteria)
        words = " and ".join(f"{c.field} = {c.value or 'nothing'}" for c in told)
        return PermanentError(
            f"Five9 getContactRecords cuts off the contacts with {words} at {self.record_limit},"
            " and they cannot be divided further; merge duplicates in Five9, or narrow FIVE9_LISTS."
        )


@dataclass(frozen=True)
class Answer:
    """What one lookup of a division gave; ``is_cut``: there may be more in this part."""

    contacts: list[Contact]
    is_cut: bool


@dataclass
class Division:
    """The contacts that have a value in one of ``fields``, part by part.

    ``at_end``: by the last characters instead of the first. ``most_lookups``: where it ends
    without an error, and ``is_spent`` then; a part that cannot be divided ends it too.
    ``found``: keys of the contacts of parts that came whole. ``asked``: the characters by which a
    part was divided.
    """

    lookups: Lookups
    fields: Sequence[str]
    at_end: bool = False
    most_lookups: int | None = None
    found: set[str] = field(default_factory=set)
    asked: dict[Part, set[str]] = field(default_factory=dict)
    is_spent: bool = False

    def answers(self) -> Iterator[Answer]:
        """Raises PermanentError for a part that cannot be divided."""
        for name in self.fields:
            yield from self._part(name, "")

    def answers_for(self, contacts: Iterable[Contact]) -> Iterator[Answer]:
        """Parts that were never asked for, because no answer had shown their characters."""
        for part, character in self._unasked(contacts):
            if character not in self.asked[part]:
                yield from self._divided(part, [character])

    def can_learn(self, contacts: Iterable[Contact]) -> bool:
        return any(True for _ in self._unasked(contacts))

    def part_of(self, contact: Contact) -> Criterion | None:
        """The lookup that finds the contact; None where none does."""
        for name in self.fields:
            part = self._deepest(name, contact.get(name) or "")
            if part is not None and part not in self.asked:
                return self._criterion(*part)
            if part is not None and part[1] == contact.get(name):
                return Criterion(*part)
        return None

    def has_value(self, contact: Contact) -> bool:
        return any(contact.get(name) for name in self.fields)

    def _part(self, name: str, piece: str) -> Iterator[Answer]:
        if self._is_over():
            return
        answer = self._answer(self.lookups.contacts(self._criterion(name, piece)))
        yield answer
        if not answer.is_cut:
            return
        if len(piece) >= LONGEST_PIECE and not self._gives_up(self._criterion(name, piece)):
            return
        if piece:
            yield from self._equal(name, piece)
        self.asked[name, piece] = set()
        yield from self._divided((name, piece), self._next_characters(name, piece, answer.contacts))

    def _equal(self, name: str, piece: str) -> Iterator[Answer]:
        """The contacts whose value is no more than the piece."""
        answer = self._answer(self.lookups.contacts(Criterion(name, piece)))
        yield answer
        if answer.is_cut:
            self._gives_up(Criterion(name, piece))

    def _divided(self, part: Part, characters: Iterable[str]) -> Iterator[Answer]:
        name, piece = part
        for character in characters:
            self.asked[part].add(character)
            yield from self._part(name, character + piece if self.at_end else piece + character)

    def _answer(self, found: list[Contact]) -> Answer:
        is_cut = self.lookups.is_cut(found)
        if not is_cut:
            self.found.update(map(key_of, found))
        return Answer(found, is_cut)

    def _is_over(self) -> bool:
        self.is_spent = self.is_spent or (
            self.most_lookups is not None and self.lookups.count >= self.most_lookups
        )
        return self.is_spent

    def _gives_up(self, criterion: Criterion) -> bool:
        if self.most_lookups is None:
            raise self.lookups.cannot_divide(criterion)
        self.is_spent = True
        return False

    def _unasked(self, contacts: Iterable[Contact]) -> Iterator[tuple[Part, str]]:
        for contact in contacts:
            for name in self.fields:
                value = contact.get(name) or ""
                part = self._deepest(name, value)
                if part in self.asked and (character := self._next(part[1], value)):
                    yield part, character

    def _deepest(self, name: str, value: str) -> Part | None:
        """The last part on the way to a value; None where the value is empty."""
        if not value:
            return None
        piece = ""
        while (asked := self.asked.get((name, piece))) is not None:
            character = self._character(piece, value)
            if character is None or character not in asked:
                break
            piece = character + piece if self.at_end else piece + character
        return name, piece

    def _next(self, piece: str, value: str) -> str | None:
        """The character by which a part has still to be divided to reach the value."""
        character = self._character(piece, value)
        return None if character is None or character in PATTERN_CHARACTERS else character

    def _character(self, piece: str, value: str) -> str | None:
        """The one that comes after the piece, or before it."""
        if len(piece) >= len(value):
            return None
        return value[-len(piece) - 1] if self.at_end else value[len(piece)]

    def _criterion(self, name: str, piece: str) -> Criterion:
        return Criterion(name, WILDCARD + piece if self.at_end and piece else piece + WILDCARD)

    def _next_characters(self, name: str, piece: str, found: list[Contact]) -> list[str]:
        """The usual characters, and those that the cut-off answer shows at this place."""
        if name in NUMBER_FIELDS:
            usual = string.digits if piece else NUMBER_ENDS if self.at_end else ASCII
        else:
            usual = TEXT_CHARACTERS if piece else TEXT_CHARACTERS + LATIN_LETTERS
        values = (contact.get(name) or "" for contact in found)
        shown = {self._character(piece, v) for v in values if self._fits(piece, v)}
        return sorted({*usual, *filter(None, shown)} - PATTERN_CHARACTERS)

    def _fits(self, piece: str, value: str) -> bool:
        return value.endswith(piece) if self.at_end else value.startswith(piece)
