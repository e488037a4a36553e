"""Reads all contacts through a lookup that gives 1 000 at most and knows no paging.

A lookup that comes back full is divided by the next character of a number: ``6%`` into ``60%`` to
``69%``. What it had given is kept as a sample, and at its end the walk proves that each contact
of the sample was found again or is gone: a contact that no prefix reaches is an error, never
left out in silence.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.five9.engines.admin import Contact, Criterion, Five9Admin
from ingestion.sync.five9.engines.faults import ARGUMENT_FAULTS, RefusedByFault
from ingestion.sync.five9.fields import key_of

WILDCARD = "%"
# In a pattern these mean other characters; "_" may (SQL's LIKE).
PATTERN_CHARACTERS = frozenset("%_")
NUMBER_FIELDS = frozenset({"number1", "number2", "number3"})
NUMBER_CHARACTERS = string.digits + "+"
TEXT_CHARACTERS = string.digits + string.ascii_letters + " .-'@+&#"
LONGEST_PREFIX = 64
# How many contacts of the sample that did not come again are looked up one by one.
MAX_PROOFS = 20

Criteria = tuple[Criterion, ...]


@dataclass
class ContactWalk:
    """One reading of all contacts, or of those whose last list is one of some.

    ``scopes``: criteria that every lookup has besides its own, one walk for each.
    """

    admin: Five9Admin
    fields: Sequence[str]
    record_limit: int
    scopes: Sequence[Criteria] = ((),)
    _seen: set[str] = field(default_factory=set)
    _sample: dict[str, Contact] = field(default_factory=dict)

    def pages(self) -> Iterator[list[Contact]]:
        """Each contact once. Raises PermanentError where a lookup cannot be divided."""
        for scope in self.scopes:
            yield from self._walk(scope)

    def found_by(self, criterion: Criterion) -> list[Contact]:
        """The contacts that meet it, but for those that came before. Raises PermanentError where
        they are too many."""
        found = [c for scope in self.scopes for c in self._whole((*scope, criterion))]
        return self._new(found)

    def _walk(self, scope: Criteria) -> Iterator[list[Contact]]:
        if (found := self._everything(scope)) is not None:
            yield self._new(found)
            return
        for name in self.fields:
            yield from self._branch(scope, name, "")
        yield self._new(self._without_values(scope))
        self._prove_sample(scope)

    def _everything(self, scope: Criteria) -> list[Contact] | None:
        """The scope's contacts; None where they are too many for one lookup.

        A lookup without any criterion gives every contact, also those without a number; should a
        domain refuse it, the walk does without.
        """
        found = self._unless_refused(scope)
        if found is None or not self._is_cut(found):
            return found
        self._keep_as_sample(found)
        return None

    def _branch(self, scope: Criteria, name: str, prefix: str) -> Iterator[list[Contact]]:
        found = self.admin.contacts((*scope, Criterion(name, prefix + WILDCARD)))
        if not self._is_cut(found):
            yield self._new(found)
            return
        if len(prefix) >= LONGEST_PREFIX:
            raise self._cannot_divide((*scope, Criterion(name, prefix + WILDCARD)))
        if prefix:
            yield self._new(self._whole((*scope, Criterion(name, prefix))))
        self._keep_as_sample(found)
        for character in _next_characters(name, prefix, found):
            yield from self._branch(scope, name, prefix + character)

    def _without_values(self, scope: Criteria) -> list[Contact]:
        """Contacts that have none of the fields, where the domain can look up empty values: one
        that cannot refuses, gives nothing, or gives contacts that have them."""
        criteria = (*scope, *(Criterion(name, "") for name in self.fields))
        found = self._unless_refused(criteria) or []
        if any(contact.get(name) for contact in found for name in self.fields):
            return []
        if self._is_cut(found):
            raise self._cannot_divide(criteria)
        return found

    def _prove_sample(self, scope: Criteria) -> None:
        missing, self._sample = list(self._sample.values()), {}
        for contact in missing[:MAX_PROOFS]:
            self._prove_gone(contact, scope)

    def _prove_gone(self, contact: Contact, scope: Criteria) -> None:
        """A contact that was there and is not found by a prefix must not be found at all."""
        name = next((name for name in self.fields if contact.get(name)), None)
        if name is None:
            raise PermanentError(
                f"Five9 getContactRecords cannot reach the contacts that have no"
                f" {' or '.join(self.fields)}; add a field that they have to FIVE9_WALK_FIELDS."
            )
        found = self.admin.contacts((*scope, Criterion(name, contact[name] or "")))
        if key_of(contact) in {key_of(other) for other in found}:
            raise PermanentError(
                f"Five9 getContactRecords does not find by the first characters of {name} what it"
                f" finds by the whole of it; name other fields in FIVE9_WALK_FIELDS."
            )

    def _whole(self, criteria: Criteria) -> list[Contact]:
        found = self.admin.contacts(criteria)
        if self._is_cut(found):
            raise self._cannot_divide(criteria)
        return found

    def _unless_refused(self, criteria: Criteria) -> list[Contact] | None:
        """None where the domain does not take such criteria."""
        try:
            return self.admin.contacts(criteria)
        except RefusedByFault as refusal:
            if refusal.fault not in ARGUMENT_FAULTS:
                raise
            return None

    def _is_cut(self, found: list[Contact]) -> bool:
        return len(found) >= self.record_limit

    def _keep_as_sample(self, found: list[Contact]) -> None:
        """What still has to be seen, so that memory holds no more than that."""
        keyed = {key_of(contact): contact for contact in found}
        self._sample.update((k, c) for k, c in keyed.items() if k not in self._seen)

    def _new(self, found: list[Contact]) -> list[Contact]:
        fresh = {key: c for c in found if (key := key_of(c)) not in self._seen}
        self._seen.update(fresh)
        for key in fresh:
            self._sample.pop(key, None)
        return list(fresh.values())

    def _cannot_divide(self, criteria: Criteria) -> PermanentError:
        words = " and ".join(f"{c.field} = {c.value or 'nothing'}" for c in criteria)
        return PermanentError(
            f"Five9 getContactRecords cuts off the contacts with {words} at {self.record_limit},"
            " and they cannot be divided further; merge duplicates in Five9, or narrow FIVE9_LISTS."
        )


def _next_characters(name: str, prefix: str, found: list[Contact]) -> list[str]:
    """The usual characters, and those that the cut-off answer shows at this place."""
    usual = NUMBER_CHARACTERS if name in NUMBER_FIELDS else TEXT_CHARACTERS
    if prefix and name in NUMBER_FIELDS:
        usual = string.digits
    values = (contact.get(name) or "" for contact in found)
    shown = {v[len(prefix)] for v in values if v.startswith(prefix) and len(v) > len(prefix)}
    return sorted({*usual, *shown} - PATTERN_CHARACTERS)
