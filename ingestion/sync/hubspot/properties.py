"""Which properties of an object type are read, as a setting says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ingestion.sync.hubspot.values import Property

GROUP = "group:"
FILLED = "filled"
# What a run itself needs of a record.
ALWAYS = frozenset({"hs_object_id", "hs_merged_object_ids"})


@dataclass(frozen=True)
class Choice:
    """Patterns as in file names, of names or, behind ``group:``, of groups. Without one in ``takes``
    all are taken. ``only_filled``: a property becomes a column with its first value."""

    takes: tuple[str, ...] = ()
    leaves: tuple[str, ...] = ()
    only_filled: bool = False

    @classmethod
    def of(cls, setting: str) -> Choice:
        """From words between commas: ``email,group:sales*,-hs_*,filled``."""
        words = [word.strip() for word in setting.split(",") if word.strip()]
        return cls(
            tuple(w for w in words if not w.startswith("-") and w != FILLED),
            tuple(w.removeprefix("-").strip() for w in words if w.startswith("-")),
            FILLED in words,
        )

    def chosen(self, properties: Sequence[Property], cursor: str | None) -> list[Property]:
        return [p for p in properties if p.name in (*ALWAYS, cursor) or self._takes(p)]

    def _takes(self, found: Property) -> bool:
        is_taken = not self.takes or any(_fits(found, pattern) for pattern in self.takes)
        return is_taken and not any(_fits(found, pattern) for pattern in self.leaves)


def _fits(found: Property, pattern: str) -> bool:
    if pattern.startswith(GROUP):
        return fnmatchcase(found.group, pattern.removeprefix(GROUP))
    return fnmatchcase(found.name, pattern)
