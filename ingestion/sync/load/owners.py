"""The owners whose rows a run has read completely: their other rows are gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ingestion.sync.common.source import Scope
from ingestion.sync.load.columns.typed import typed

if TYPE_CHECKING:
    from ingestion.sync.load.stager import Stager
    from ingestion.sync.load.tables.session import Session

# So many are held until they are staged.
HELD: Final = 10_000


@dataclass
class Owners:
    """Held by the fields that name them; staged in tables ``owners_0``, ``owners_1`` …"""

    held: dict[tuple[str, ...], set[tuple[Any, ...]]] = field(default_factory=dict)
    staged: dict[tuple[str, ...], list[str]] = field(default_factory=dict)  # columns by fields

    def add(self, scope: Scope) -> None:
        """A page may be complete for nobody: then nothing can be concluded from it."""
        if scope.owners:
            self.held.setdefault(scope.columns, set()).update(scope.owners)

    @property
    def is_many(self) -> bool:
        return sum(map(len, self.held.values())) >= HELD

    def stage(self, stager: Stager) -> None:
        """Put those that are held into their tables."""
        for fields, owners in self.held.items():
            columns = [stager.map.see(name, "text") for name in fields]
            names = [column.name for column in columns]
            if fields not in self.staged:
                table = f"owners_{len(self.staged)}"
                kinds = {column.name: column.data_type for column in columns}
                stager.session.create_stage(table, kinds, keys=names)
                self.staged[fields] = names
            values = [
                stager.session.values(typed(told, c.data_type).array, c.data_type)
                for c, told in zip(columns, zip(*owners, strict=True), strict=True)
            ]
            table = f"owners_{list(self.staged).index(fields)}"
            stager.session.insert(table, names, list(zip(*values, strict=True)))
        self.held = {}

    def conditions(self, session: Session) -> Iterator[str]:
        """One per table: a row ``t`` belongs to one of the owners."""
        for number, names in enumerate(self.staged.values()):
            same = " AND ".join(f"o.{session.quote(n)} = t.{session.quote(n)}" for n in names)
            table = session.staged(f"owners_{number}")
            yield f"EXISTS (SELECT 1 FROM {table} o WHERE {same})"
