"""What a HubSpot account holds: objects by type, owners, associations."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.crms.hubspot.catalog import LINKS, MODIFIED, PROPERTIES, LinkType, iso

Key = tuple[str, int]  # type and id
Link = tuple[str, int, str, int, int]  # from type, from id, to type, to id, type id


@dataclass
class Item:
    """One object. Every property value is a string or None, as in the API."""

    id: int
    properties: dict[str, str | None]
    created: datetime
    updated: datetime
    archived_at: datetime | None = None

    def as_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        archived = {"archivedAt": iso(self.archived_at)} if self.archived_at else {}
        return {
            "id": str(self.id),
            "properties": {name: self.properties.get(name) for name in names},
            "createdAt": iso(self.created),
            "updatedAt": iso(self.updated),
            "archived": self.archived_at is not None,
            **archived,
        }


@dataclass
class Changes:
    """The changes since ``Portal.begin``; each record and link counts once, by its end state."""

    created: set[Key] = field(default_factory=set)
    touched: set[Key] = field(default_factory=set)
    archived: set[Key] = field(default_factory=set)
    linked: set[Link] = field(default_factory=set)
    unlinked: set[Link] = field(default_factory=set)

    def counts(self) -> dict[str, int]:
        return {
            "created": len(self.created - self.archived) + len(self.linked),
            "updated": len(self.touched - self.created - self.archived),
            "deleted": len(self.archived) + len(self.unlinked),
        }


@dataclass
class Portal:
    """``links``: by direction and record, the other records and what the association is called
    from this side. ``version`` rises with each change."""

    items: dict[str, dict[int, Item]] = field(default_factory=lambda: {k: {} for k in PROPERTIES})
    archived: dict[str, dict[int, Item]] = field(
        default_factory=lambda: {k: {} for k in PROPERTIES}
    )
    owners: list[dict[str, Any]] = field(default_factory=list)
    links: dict[tuple[str, str], dict[int, dict[int, list[LinkType]]]] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    version: int = 0
    _sorted: dict[tuple[str, bool, int], list[int]] = field(default_factory=dict)

    def begin(self) -> None:
        """Count changes from here on."""
        self.changes = Changes()

    def add(self, kind: str, item: Item) -> None:
        item.properties |= {
            "hs_object_id": str(item.id),
            "createdate": iso(item.created),
            MODIFIED[kind]: iso(item.updated),
        }
        self.items[kind][item.id] = item
        self.changes.created.add((kind, item.id))
        self.version += 1

    def change(self, kind: str, item_id: int, at: datetime, **values: str | None) -> None:
        """``values`` may be none: only the time of the last change moves then."""
        item = self.items[kind][item_id]
        item.updated = at
        item.properties |= {**values, MODIFIED[kind]: iso(at)}
        self.changes.touched.add((kind, item_id))
        self.version += 1

    def archive(self, kind: str, item_id: int, at: datetime) -> None:
        """The record moves to the archive and loses its associations."""
        item = self.items[kind].pop(item_id)
        item.archived_at = item.updated = at
        item.properties[MODIFIED[kind]] = iso(at)
        self.archived[kind][item_id] = item
        self.changes.archived.add((kind, item_id))
        self._unlink_all(kind, item_id)
        self.version += 1

    def link(
        self, one: Key, other: Key, *labels: tuple[LinkType, LinkType], at: datetime | None = None
    ) -> None:
        """Associate two records in the order of LINKS; ``labels`` come on top of the plain type.
        ``at``: the first record counts as modified then."""
        forward, backward = LINKS[one[0], other[0]]
        types = [(forward, backward), *labels]
        self._ends(one, other)[other[1]] = [t[0] for t in types]
        self._ends(other, one)[one[1]] = [t[1] for t in types]
        made: set[Link] = {(*one, *other, t[0].type_id) for t in types}
        self.changes.linked |= made - self.changes.unlinked
        self.changes.unlinked -= made
        self._modified(one, at)

    def unlink(self, one: Key, other: Key, *, at: datetime | None = None) -> None:
        types = self._ends(one, other).pop(other[1])
        self._ends(other, one).pop(one[1])
        gone: set[Link] = {(*one, *other, t.type_id) for t in types}
        self.changes.unlinked |= gone - self.changes.linked
        self.changes.linked -= gone
        self._modified(one, at)

    def linked(self, one: Key, to_kind: str) -> dict[int, list[LinkType]]:
        """The associations of a record; {} where it has none."""
        return self.links.get((one[0], to_kind), {}).get(one[1], {})

    def ids(self, kind: str, *, archived: bool) -> list[int]:
        """Sorted; cached until the next change."""
        key = (kind, archived, self.version)
        if key not in self._sorted:
            self._sorted = {k: ids for k, ids in self._sorted.items() if k[2] == self.version}
            self._sorted[key] = sorted((self.archived if archived else self.items)[kind])
        return self._sorted[key]

    def after(self, kind: str, last_id: int, count: int, *, archived: bool) -> list[Item]:
        """At most ``count`` items with higher ids."""
        ids = self.ids(kind, archived=archived)
        start = bisect_right(ids, last_id)
        found = (self.archived if archived else self.items)[kind]
        return [found[item_id] for item_id in ids[start : start + count]]

    def link_count(self) -> int:
        """Associations as the warehouse has them: one direction, each type a row."""
        ends = (to for pair in LINKS for to in self.links.get(pair, {}).values())
        return sum(len(types) for to in ends for types in to.values())

    def _ends(self, one: Key, other: Key) -> dict[int, list[LinkType]]:
        return self.links.setdefault((one[0], other[0]), {}).setdefault(one[1], {})

    def _unlink_all(self, kind: str, item_id: int) -> None:
        for one_kind, other_kind in LINKS:
            if one_kind == kind:
                for other_id in list(self.linked((kind, item_id), other_kind)):
                    self.unlink((kind, item_id), (other_kind, other_id))
            elif other_kind == kind:
                for one_id in list(self.linked((kind, item_id), one_kind)):
                    self.unlink((one_kind, one_id), (kind, item_id))

    def _modified(self, one: Key, at: datetime | None) -> None:
        if at is not None and one[1] in self.items[one[0]]:
            self.change(*one, at)
