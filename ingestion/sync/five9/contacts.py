"""Reads all contacts through a lookup that gives 1 000 at most and knows no paging.

Where one lookup does not give all, contacts are divided by the first characters of their numbers,
and then, to prove that these parts cover the whole, by the last ones: what the second division finds
and the first one lacks shows which characters that one has to be divided by as well. Contacts
without a number are a part of their own. What cannot be proven is told as ``unproven``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.five9.division import Answer, Criteria, Division, Lookups, has_pattern
from ingestion.sync.five9.engines.admin import Contact, Criterion, Five9Admin
from ingestion.sync.five9.fields import key_of

# By these, too, contacts are looked for: whom no number finds may have a name.
NAMES = ("last_name", "first_name")
MOST_LOOKUPS_BY_NAME = 250
# How many contacts that no part has given are looked up one by one.
MAX_PROOFS = 20
# Of the contacts that one division has found, another one that is to prove it finds at least so many.
ENOUGH = 0.9


@dataclass
class ContactWalk:
    """One reading of all contacts, or of those whose last list is one of some.

    ``scopes``: criteria that every lookup has besides its own, one walk for each. ``unproven``:
    why contacts may have been missed, once the pages have been read.
    """

    admin: Five9Admin
    fields: Sequence[str]
    record_limit: int
    scopes: Sequence[Criteria] = ((),)
    unproven: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def pages(self) -> Iterator[list[Contact]]:
        """Each contact once. Raises PermanentError where a lookup cannot be divided."""
        for scope in self.scopes:
            lookups = Lookups(self.admin, self.record_limit, scope)
            found = lookups.unless_refused()
            if found is not None and not lookups.is_cut(found):
                yield self._new(found)
                continue
            walk = DividedWalk(lookups, self.fields, self._seen)
            yield from walk.pages(found or [])
            self.unproven += (why for why in walk.unproven if why not in self.unproven)

    def found_by(self, forms: Sequence[Criterion]) -> list[Contact] | None:
        """The contacts that meet the first of the criteria that any meets, but for those that came
        before; None where nobody meets any, in these scopes or elsewhere. Raises PermanentError where they are too many."""
        for criterion in forms:
            if found := [c for scope in self.scopes for c in self._whole(scope, criterion)]:
                return self._new(found)
        is_elsewhere = () not in self.scopes and any(self._whole((), c) for c in forms)
        return [] if is_elsewhere else None

    def _whole(self, scope: Criteria, criterion: Criterion) -> list[Contact]:
        return Lookups(self.admin, self.record_limit, scope).whole(criterion)

    def _new(self, found: list[Contact]) -> list[Contact]:
        return _unseen(found, self._seen)


@dataclass
class DividedWalk:
    """One reading of contacts that are too many for one lookup. ``seen``: keys of those that were
    passed on. ``_strays``: contacts that the first division should have given and has not;
    ``_examples``: some of those that any answer has held."""

    lookups: Lookups
    fields: Sequence[str]
    seen: set[str]
    unproven: list[str] = field(default_factory=list)
    _strays: dict[str, Contact] = field(default_factory=dict)
    _examples: list[Contact] = field(default_factory=list)

    def pages(self, sample: list[Contact]) -> Iterator[list[Contact]]:
        """``sample``: contacts that were seen already, of an answer that was cut off."""
        first = Division(self.lookups, self.fields)
        yield from self._passed_on([Answer(sample, is_cut=True)], first)
        yield from self._passed_on(first.answers(), first)
        proof = Division(self.lookups, self.fields, at_end=True)
        if first.asked:
            yield from self._passed_on(proof.answers(), first)
        yield self._without_values()
        for division in self._by_name():
            yield from self._passed_on(division.answers(), first)
        while first.can_learn(self._strays.values()):
            learned = list(self._strays.values())
            yield from self._passed_on(first.answers_for(learned), first)
        yield self._settled(first)
        if first.asked and len(first.found & proof.found) < ENOUGH * len(first.found):
            self.unproven.append(
                f"Five9 does not find contacts by the last characters of {self._fields_in_words},"
                " so nothing proves that their first ones find all"
            )

    def _by_name(self) -> Iterator[Division]:
        """Divisions that need not come to their end: they only look for what the others lack. One
        lookup for each where nobody can lack a part."""
        for name in NAMES:
            if name not in self.fields and any(name in contact for contact in self._examples):
                most = self.lookups.count + (MOST_LOOKUPS_BY_NAME if self.unproven else 1)
                yield Division(self.lookups, [name], most_lookups=most)

    def _passed_on(self, answers: Iterable[Answer], first: Division) -> Iterator[list[Contact]]:
        for answer in answers:
            self._examples += answer.contacts[: MAX_PROOFS - len(self._examples)]
            for contact in answer.contacts:
                # Memory holds no more than what still has to be seen.
                if answer.is_cut or first.has_value(contact):
                    self._strays.setdefault(key_of(contact), contact)
            for key in [key for key in self._strays if key in first.found]:
                del self._strays[key]
            if not answer.is_cut:
                yield _unseen(answer.contacts, self.seen)

    def _without_values(self) -> list[Contact]:
        """Contacts that have none of the fields, where the domain can look up empty values: one
        that cannot refuses, gives nothing, or gives contacts that have them."""
        nothing = [Criterion(name, "") for name in self.fields]
        found = self.lookups.unless_refused(*nothing) or []
        is_heeded = not any(contact.get(name) for contact in found for name in self.fields)
        if not is_heeded or not (found or self._finds_empty()):
            self.unproven.append(
                f"Five9 cannot look up contacts without {self._fields_in_words}: those of them that"
                " no usual name finds were not read; name a field that they have in"
                " FIVE9_WALK_FIELDS"
            )
            return []
        if self.lookups.is_cut(found):
            raise self.lookups.cannot_divide(*nothing)
        for key in map(key_of, found):
            self._strays.pop(key, None)
        return _unseen(found, self.seen)

    def _finds_empty(self) -> bool:
        """Whether an empty value finds a contact of which it is known that a field is empty."""
        for contact in self._examples:
            value = next((Criterion(n, v) for n in self.fields if (v := contact.get(n))), None)
            empty = next((name for name, value in contact.items() if not value), None)
            if value is None or empty is None or has_pattern(value.value):
                continue
            found = self.lookups.unless_refused(value, Criterion(empty, ""))
            return key_of(contact) in map(key_of, found or [])
        return False

    def _settled(self, first: Division) -> list[Contact]:
        """The strays that are there. Raises PermanentError where a part lacks what it must hold."""
        strays = sorted(self._strays.values(), key=first.has_value, reverse=True)
        self._strays.clear()
        living = [c for c in strays[:MAX_PROOFS] if self._is_there(c, first)] + strays[MAX_PROOFS:]
        if any(first.has_value(c) for c in living if key_of(c) not in first.found):
            self.unproven.append(
                f"Five9 gives contacts that no first characters of {self._fields_in_words} find,"
                " as where % or _ stands in them, and may have more of them"
            )
        return _unseen(living, self.seen)

    def _is_there(self, contact: Contact, first: Division) -> bool:
        """False for a contact that has gone meanwhile. One that has come meanwhile is in its part."""
        key, part = key_of(contact), first.part_of(contact)
        if part is not None and key in self._keys(part):
            first.found.add(key)
            return True
        whole = [Criterion(name, value) for name in self.fields if (value := contact.get(name))]
        if not whole or any(has_pattern(criterion.value) for criterion in whole):
            return True
        is_there = key in self._keys(*whole)
        if is_there and part is not None:
            raise PermanentError(
                f"Five9 getContactRecords does not find by the first characters of {part.field} what"
                " it finds by the whole of it; name other fields in FIVE9_WALK_FIELDS."
            )
        return is_there

    def _keys(self, *criteria: Criterion) -> set[str]:
        return set(map(key_of, self.lookups.contacts(*criteria)))

    @property
    def _fields_in_words(self) -> str:
        return " or ".join(self.fields)


def _unseen(found: list[Contact], seen: set[str]) -> list[Contact]:
    fresh = {key: contact for contact in found if (key := key_of(contact)) not in seen}
    seen.update(fresh)
    return list(fresh.values())
