"""One model's table as a run finds it, and what the run changes in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from ingestion.sync.common.names import DELETED_AT, MAX_IDENTIFIER_LENGTH, MISFITS, OVERFLOW
from ingestion.sync.common.run import Policy
from ingestion.sync.common.source import Columns, Model
from ingestion.sync.load.columns.column_map import FACTS, RESERVED, Column, ColumnMap
from ingestion.sync.load.columns.types import Dialect, declared
from ingestion.sync.load.tables import earlier, own_tables
from ingestion.sync.load.tables.own_tables import State
from ingestion.sync.load.tables.repeated import forget_repeated
from ingestion.sync.load.tables.session import Session

# How a release before the map declared decimals.
OF_NINE_PLACES: Final = "numeric(38,9)"


@dataclass
class Table:
    """``found``: the columns that the table has, with their types; none where there is no table.
    ``lost``: columns of the map that somebody has dropped; ``is_lost``: the whole table is gone."""

    session: Session
    model: str
    found: dict[str, str]
    map: ColumnMap
    state: State
    lost: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    is_lost: bool = False
    is_of_dlt: bool = True
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, session: Session, crm: str, model: str, policy: Policy = "evolve") -> Table:
        """``policy``: of the CRM; it holds for a table that is there."""
        table = cls._read(session, crm, model)
        table.map.policy = policy if table.exists else "evolve"
        return table

    @classmethod
    def _read(cls, session: Session, crm: str, model: str) -> Table:
        found = session.columns_of(model) if session.has_dataset else {}
        if own_tables.are_there(session):
            columns = own_tables.columns(session, model)
            state = own_tables.state(session, model)
            if columns or (state and not found):
                return cls._known(session, model, found, columns, state or State())
            if state:  # somebody has dropped the map
                return cls._of_earlier(session, crm, model, found, state)
        if not session.has_dataset:
            empty = ColumnMap.of([], most_columns=session.most_columns, decimals=session.decimals)
            return cls(session, model, {}, empty, State())
        return cls._of_earlier(session, crm, model, found)

    @classmethod
    def _known(
        cls,
        session: Session,
        model: str,
        found: dict[str, str],
        columns: list[Column],
        state: State,
    ) -> Table:
        kept = columns
        if found and session.dialect != "sqlite":  # SQLite's declarations say less than the map
            kept = [_as_found(column, found, session.dialect) for column in columns]
        column_map = ColumnMap.of(
            kept,
            most_columns=session.most_columns,
            decimals=session.decimals,
            foreign=_foreign(found, columns),
        )
        was_there = bool(columns) or state.watermark is not None
        is_lost = was_there and not found
        table = cls(session, model, found, column_map, state, is_lost=is_lost)
        table.lost = {*column_map.in_table, DELETED_AT} - set(found) if found else set()
        for column in [column for column in column_map if column.place == "accepted"]:
            table.accepted.add(column.name)
            column_map.place(column)
        table.notes = [
            f"column {now.name} is {now.data_type} in the table, not {was.data_type} any more;"
            " the table's type stands"
            for was, now in zip(columns, kept, strict=True)
            if was != now
        ]
        for now in (now for was, now in zip(columns, kept, strict=True) if was != now):
            column_map.new[now.source_name] = now
        return table

    @classmethod
    def _of_earlier(
        cls,
        session: Session,
        crm: str,
        model: str,
        found: dict[str, str],
        known: State | None = None,
    ) -> Table:
        """A table of a release before the map, or none; or one whose map was dropped, with the
        state that it has."""
        columns = earlier.columns(session, crm, model, found) if found else []
        column_map = ColumnMap.of(
            columns,
            most_columns=session.most_columns,
            decimals=session.decimals,
            foreign=_foreign(found, columns),
            is_adopted=bool(found),
        )
        before = State(earlier.watermark(session, crm, model), has_old_hashes=bool(found))
        state = known or before
        is_lost = state.watermark is not None and not found
        table = cls(session, model, found, column_map, state, is_lost=is_lost)
        table.is_of_dlt = earlier.is_of_dlt(found)
        return table

    @property
    def exists(self) -> bool:
        return bool(self.found)

    @property
    def has_to_be_filled(self) -> bool:
        """Whether rows lack what only a whole read brings back."""
        return self.is_lost or bool(self.lost)

    def declare(self, model: Model, columns: Columns) -> None:
        """What the CRM declares; columns that are there keep their types."""
        for name, data_type in {**columns, **model.columns}.items():
            is_known = name in self.map.columns or name in (*model.key, model.cursor)
            if model.only_filled and not is_known:
                self.map.expected[name] = data_type
            else:
                self.map.declare(name, data_type)

    def settle(self, staged: Mapping[str, str], at: datetime) -> list[str]:
        """Make the dataset and its own tables, and the table take what was staged; one sentence for
        each change of a table that was there. Inside a transaction."""
        if not own_tables.are_current(self.session):
            self.session.create_dataset()
            own_tables.create(self.session)
        if self.exists and self.map.is_adopted:
            self.session.adopt(self.model, self._content())
        # Before the columns are made: what the map lacks counts as a column of somebody else.
        columns = self._ours() if self.map.is_adopted else self.map.new.values()
        own_tables.keep_columns(self.session, self.model, columns, at)
        if self.map.is_adopted or self.has_to_be_filled:
            # With the columns: the next run would not see any more that dlt has left a watermark,
            # or that rows lack a value, if this one ended here.
            watermark = None if self.has_to_be_filled else self.state.watermark
            kept = replace(self.state, watermark=watermark)
            own_tables.keep_state(self.session, self.model, kept, at)
        return list(self._changed(staged)) if self.exists else []

    def create(self, staged: Mapping[str, str]) -> None:
        """The table for what was staged, without rows and index."""
        columns = {**self._content(), **_beside(staged), **FACTS}
        told = ", ".join(
            f"{self.session.quote(name)} {declared(kind, self.session.dialect)}"
            for name, kind in columns.items()
        )
        self.session.execute(f"CREATE TABLE {self.session.table(self.model)} ({told})")

    def index(self, keys: tuple[str, ...]) -> bool:
        """The unique index of the key, unless it is there; False where rows stand twice."""
        return self.session.make_unique(self.session.table(self.model), self.index_name, keys)

    def forget_repeated(self, keys: tuple[str, ...]) -> int:
        """All but one of the rows that share a key; how many they were."""
        return forget_repeated(self.session, self.model, keys)

    @property
    def index_name(self) -> str:
        return f"ux_{self.model}"[:MAX_IDENTIFIER_LENGTH]

    def filled(self, columns: set[str]) -> set[str]:
        """Those of ``columns`` that have a value in some living row."""
        names = sorted(columns & self.found.keys())
        if not names:
            return set()
        counts = ", ".join(f"count({self.session.quote(name)})" for name in names)
        living = f" WHERE {DELETED_AT} IS NULL" if DELETED_AT in self.found else ""
        (found,) = self.session.rows(
            f"SELECT {counts} FROM {self.session.table(self.model)}{living}"
        )
        return {name for name, count in zip(names, found, strict=True) if count}

    def forget_keyless(self, keys: tuple[str, ...]) -> None:
        """Rows whose key somebody has dropped: all records have come again."""
        has_none = " OR ".join(f"{self.session.quote(name)} IS NULL" for name in keys)
        of = self.session.table(self.model)
        if self.session.rows(f"SELECT 1 FROM {of} WHERE {has_none} LIMIT 1"):
            self.session.execute(f"DELETE FROM {of} WHERE {has_none}")

    def living(self) -> int:
        if not self.exists:
            return 0
        ((count,),) = self.session.rows(
            f"SELECT count(*) FROM {self.session.table(self.model)} WHERE {DELETED_AT} IS NULL"
        )
        return int(count)

    def has_old_hashes(self, version: str) -> bool:
        if not (self.exists and self.state.has_old_hashes):
            return False
        return bool(
            self.session.rows(
                f"SELECT 1 FROM {self.session.table(self.model)}"
                f" WHERE substr(_row_hash, 1, {len(version)}) <> '{version}' LIMIT 1"
            )
        )

    def _ours(self) -> Iterator[Column]:
        """Without what nobody claims, where the map was dropped: people may have added it."""
        return (c for c in self.map if self.is_of_dlt or c.place != "earlier")

    @property
    def written(self) -> dict[str, str]:
        """The columns that rows are written and compared in, with their types."""
        ours = {column.name for column in self._ours()}
        return {name: c.data_type for name, c in self.map.in_table.items() if name in ours}

    def _content(self) -> dict[str, str]:
        return {name: column.data_type for name, column in self.map.in_table.items()}

    def _changed(self, staged: Mapping[str, str]) -> Iterator[str]:
        content = self._content()
        for name, kind in {**content, **_beside(staged), **FACTS}.items():
            if name not in self.found:
                self.session.add_column(self.session.table(self.model), name, kind)
                if name in self.accepted:
                    yield f"new column {name} ({kind}), as was accepted; it is filled"
                elif name in self.lost:
                    yield f"column {name} was dropped; it is there again, and filled"
                elif name not in FACTS:
                    yield f"new column {name} ({kind})"
        yield from self.notes
        yield from self._widened(staged)

    def _widened(self, staged: Mapping[str, str]) -> Iterator[str]:
        narrow = self.session.narrowed(self.model)
        changed = {n: to for n, (_, to) in self.map.widened.items() if n in self.found}
        told = {n: was for n, (was, _) in self.map.widened.items()}
        for name in self._too_narrow(narrow, staged):
            changed[name], told[name] = "decimal", "decimal of nine places"
        content = self._content()
        for name in narrow.keys() & content.keys():
            if narrow[name] != OF_NINE_PLACES:
                changed[name], told[name] = content[name], narrow[name]
        if not changed:
            return
        views = self.session.retype(self.model, changed)
        for name, data_type in sorted(changed.items()):
            yield f"column {name} was {told[name]}, it is {data_type} now"
        if views:
            yield f"views were made again: {', '.join(views)}"

    def _too_narrow(self, found: Mapping[str, str], staged: Mapping[str, str]) -> list[str]:
        """Decimal columns of releases before that some staged value goes beyond."""
        narrow = sorted(n for n, kind in found.items() if kind == OF_NINE_PLACES and n in staged)
        if not narrow:
            return []
        q = self.session.quote
        beyond = ", ".join(
            f"coalesce(bool_or(scale({q(n)}) > 9 OR abs({q(n)}) >= 1e29), false)" for n in narrow
        )
        (row,) = self.session.rows(f"SELECT {beyond} FROM {self.session.staged('rows')}")
        return [name for name, is_beyond in zip(narrow, row, strict=True) if is_beyond]


def _beside(staged: Mapping[str, str]) -> dict[str, str]:
    """The columns for what fits into no other, where something of it was staged."""
    return {name: "json" for name in (MISFITS, OVERFLOW) if name in staged}


def _as_found(column: Column, found: Mapping[str, str], dialect: Dialect) -> Column:
    kind = found.get(column.name, column.data_type)
    is_same = declared(kind, dialect) == declared(column.data_type, dialect)
    return column if is_same else replace(column, data_type=kind)


def _foreign(found: Mapping[str, str], columns: list[Column]) -> set[str]:
    return set(found) - RESERVED - {column.name for column in columns}
