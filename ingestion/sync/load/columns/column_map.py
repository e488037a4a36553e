"""Which column a field is landed in: decided at first sight, for ever.

The first field of a name has the plain column; another field that would meet it there gets a suffix
made from its own name, so that the order of fields never matters. The map stands in the warehouse,
in ``_columns``, for people to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from ingestion.sync.common.names import (
    DELETED_AT,
    DELETED_PROOF,
    MISFITS,
    OVERFLOW,
    ROW_HASH,
    RUN_ID,
    SYNCED_AT,
    SYSTEM_COLUMNS,
    column_name,
    old_column_name,
    with_suffix,
)
from ingestion.sync.common.run import Policy
from ingestion.sync.common.values import Decimals

# ``column``: a column of the table. ``overflow``: an entry of the JSON column ``_overflow``, because
# the destination takes no more columns. ``earlier``: a column that a release before the map made;
# the field that it came from has not been seen since. ``proposed``: an entry of ``_overflow`` until
# somebody says yes; ``accepted``: a column that the next run makes and fills. ``ignored``: nowhere,
# and not kept in the map: the schema is frozen.
Place = Literal["column", "overflow", "earlier", "proposed", "accepted", "ignored"]
IN_TABLE: Final[frozenset[Place]] = frozenset({"column", "earlier", "accepted"})
IN_OVERFLOW: Final[frozenset[Place]] = frozenset({"overflow", "proposed"})

# Facts that the load writes on each row, with their types.
FACTS: Final[Mapping[str, str]] = {
    ROW_HASH: "text",
    DELETED_AT: "timestamp",
    DELETED_PROOF: "text",
    SYNCED_AT: "timestamp",
    RUN_ID: "text",
}
OF_DLT: Final = ("_dlt_load_id", "_dlt_id")
RESERVED: Final = frozenset({*FACTS, MISFITS, OVERFLOW, *OF_DLT, *SYSTEM_COLUMNS})


@dataclass(frozen=True)
class Column:
    """Where a field stands, and its type. ``declared``: the CRM itself names the type.
    ``proposed_type``: one that would take what does not fit."""

    source_name: str
    name: str
    data_type: str
    place: Place = "column"
    declared: bool = False
    proposed_type: str | None = None


@dataclass
class ColumnMap:
    """The columns of one table. ``foreign``: columns of the table that people have added; no field
    is ever landed in one of them. ``policy``: what may change; of a table that is not there yet,
    everything. ``expected``: types of fields that get a column with their first value."""

    most_columns: int
    decimals: Decimals | None = None  # what the warehouse takes; None: every digit
    policy: Policy = "evolve"
    columns: dict[str, Column] = field(default_factory=dict)  # by the field's name
    foreign: frozenset[str] = frozenset()
    is_adopted: bool = False  # the table is older than its map, which this run makes
    new: dict[str, Column] = field(default_factory=dict)
    retyped: dict[str, tuple[str, str]] = field(default_factory=dict)  # column: from, to
    widened: dict[str, tuple[str, str]] = field(default_factory=dict)
    expected: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, Column] = field(default_factory=dict)  # by the field's name
    _young: set[str] = field(default_factory=set)  # fields that this run is the first to have
    _earlier: dict[str, Column] = field(default_factory=dict)
    _taken: set[str] = field(default_factory=set)
    _placed: int = 0

    @classmethod
    def of(
        cls,
        columns: Iterable[Column],
        *,
        most_columns: int,
        decimals: Decimals | None = None,
        foreign: Iterable[str] = (),
        is_adopted: bool = False,
    ) -> ColumnMap:
        found = cls(most_columns, decimals, foreign=frozenset(foreign), is_adopted=is_adopted)
        for column in columns:
            found._keep(column)
        return found

    def __iter__(self) -> Iterator[Column]:
        yield from self.columns.values()
        yield from self._earlier.values()

    @property
    def in_table(self) -> dict[str, Column]:
        """The source's columns that the table has, or is to get, by name."""
        return {column.name: column for column in self if column.place in IN_TABLE}

    def name_of(self, field_name: str) -> str:
        """The column of a field that the map has. Raises KeyError."""
        return self.columns[field_name].name

    def declare(self, field_name: str, data_type: str) -> Column:
        """The field, with the type that its CRM declares; a column that is there keeps its own."""
        known = self.columns.get(field_name) or self.ignored.get(field_name)
        if known is None:
            return self._add(field_name, data_type, declared=True)
        if known.place == "ignored":
            return known
        if known.data_type != data_type and {known.data_type, data_type} != MOMENTS:
            self.retyped[known.name] = (data_type, known.data_type)
        return self._replace(known, declared=True) if not known.declared else known

    def see(self, field_name: str, data_type: str) -> Column:
        """The field, with the type that the CRM declares, or that its first value has."""
        known = self.columns.get(field_name) or self.ignored.get(field_name)
        expected = self.expected.get(field_name)
        return known or self._add(field_name, expected or data_type, declared=expected is not None)

    def may_widen(self, column: Column) -> bool:
        """A column that no run has landed before may always."""
        return self.policy == "evolve" or column.source_name in self._young

    def propose(self, column: Column, data_type: str) -> None:
        """A type for the values that do not fit; of two that were proposed the wider one stays."""
        if column.proposed_type not in (data_type, "text"):
            self._replace(column, proposed_type=data_type)

    def settle(self, column: Column, data_type: str) -> Column:
        """Another type for a column that has no value yet."""
        return self._replace(column, data_type=data_type)

    def place(self, column: Column) -> Column:
        """The table has it from now on."""
        return self._replace(column, place="column")

    def widen(self, column: Column, data_type: str) -> Column:
        self.widened[column.name] = (column.data_type, data_type)
        return self._replace(column, data_type=data_type)

    def _replace(self, column: Column, **changes: object) -> Column:
        changed = replace(column, **changes)  # type: ignore[arg-type]
        self.columns[column.source_name] = changed
        self.new[column.source_name] = changed
        return changed

    def _add(self, field_name: str, data_type: str, *, declared: bool) -> Column:
        column = self._claimed(field_name, declared=declared) or Column(
            field_name, self._free_name(field_name), data_type, self._next_place(), declared
        )
        self._keep(column)
        if column.place != "ignored":
            self.new[field_name] = column
            self._young.add(field_name)
        return column

    def _keep(self, column: Column) -> None:
        if column.place == "earlier":
            self._earlier[column.name] = column
        elif column.place == "ignored":
            self.ignored[column.source_name] = column
        else:
            self.columns[column.source_name] = column
        self._taken.add(column.name)
        self._placed += column.place in IN_TABLE

    def _claimed(self, field_name: str, *, declared: bool) -> Column | None:
        """The column that an earlier release landed this field in, if nobody claimed it yet: the
        plain one, and while the map is made the suffixed one, which is its own for certain, and the
        numbered ones that clashes had."""
        old, plain = old_column_name(field_name), column_name(field_name)
        names = [old]
        if self.is_adopted:
            numbered = [f"{old[:59]}_{number}" for number in range(2, 10)]
            names = [with_suffix(plain, field_name), old, plain, *numbered]
        for name in names:
            earlier = self._earlier.pop(name, None)
            if earlier is not None:
                self._placed -= 1
                return replace(earlier, source_name=field_name, place="column", declared=declared)
        return None

    def _free_name(self, field_name: str) -> str:
        plain = column_name(field_name)
        if plain not in self._taken | RESERVED | self.foreign:
            return plain
        return with_suffix(plain, field_name)

    def _next_place(self) -> Place:
        if self.policy == "freeze":
            return "ignored"
        if self.policy == "ask":
            return "proposed"
        return "column" if self._placed < self.most_columns else "overflow"


MOMENTS: Final = frozenset({"timestamp", "datetime"})
