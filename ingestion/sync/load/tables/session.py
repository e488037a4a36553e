"""What the load asks of a warehouse: the contract that ``postgres``, ``sqlite``, ``duckdb`` and
``mariadb`` keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pyarrow as pa

from ingestion.sync.common.values import Decimals
from ingestion.sync.load.columns.types import Dialect

if TYPE_CHECKING:
    from ingestion.sync.load.columns.batch import Batch

Row = tuple[Any, ...]
# Staging tables of one model. ``rows``: the records; ``gone``: keys that the CRM reports as
# deleted; ``known``: keys of records that exist though no row of them is loaded; ``owners``: whose
# rows were read completely; ``rejected``: what cannot be loaded.
Stage = Literal["rows", "gone", "known", "rejected"]
STAGES: Final[tuple[Stage, ...]] = ("rows", "gone", "known", "rejected")


class RowRefused(Exception):
    """The warehouse does not take a row: it is too large, or has a value that it cannot store."""


class Session(Protocol):
    """One connection to one CRM's dataset, for one run of one model. ``decimals``: what it takes of
    them; None: every digit.

    Names are quoted by ``quote``; ``?`` stands for a parameter in every statement.
    """

    dialect: Dialect
    most_columns: int
    decimals: Decimals | None
    is_dry: bool

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """How many rows it changed."""

    def make_unique(self, table: str, name: str, keys: Sequence[str]) -> bool:
        """Make the unique index ``name`` of a table, which is qualified, unless it is there; False,
        and none, where a key is there twice. A warehouse that makes none looks all the same."""

    def drop_unique(self, table: str, name: str) -> None: ...

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]: ...

    def transaction(self, *, rollback: bool = False) -> AbstractContextManager[None]:
        """All or nothing. Inside another one: a savepoint. ``rollback``: nothing, in the end."""

    def using_dataset(self, *, writes: bool = False) -> AbstractContextManager[None]:
        """For several statements: a dataset that one process alone may have open is opened once for
        all of them, and no longer. Others are open all the time."""

    def moment(self, at: datetime) -> Any:
        """A time as a parameter."""

    def differs(self, one: str, other: str) -> str:
        """A condition: two values differ, where null equals null."""

    def misfits_differ(self, one: str, other: str) -> str:
        """A condition: two ``_misfits`` differ in more than the reasons that they give."""

    def quote(self, name: str) -> str: ...

    def table(self, name: str) -> str:
        """A table of the dataset, qualified and quoted."""

    def staged(self, stage: str) -> str:
        """A staging table of the model, qualified and quoted."""

    @property
    def has_dataset(self) -> bool:
        """Looks without creating anything."""

    def create_dataset(self) -> None:
        """The schema, where it is not there; one run at a time, until the transaction ends."""

    def columns_of(self, table: str) -> dict[str, str]:
        """The columns of a table with their data types, in order; none where there is none."""

    def add_column(self, table: str, name: str, data_type: str) -> None:
        """``table``: qualified."""

    def retype(self, table: str, types: Mapping[str, str]) -> list[str]:
        """Other types for columns of a table of the dataset; inside a transaction. Views on the
        table stay; gives the names of those that were made again."""

    def retype_staged(self, types: Mapping[str, str]) -> None:
        """Other types for columns of the staged rows."""

    def adopt(self, table: str, types: Mapping[str, str]) -> None:
        """Make a table of an earlier release take rows without dlt's own columns, and numbers as
        they are. ``types``: of its columns."""

    def narrowed(self, table: str) -> dict[str, str]:
        """The columns that take less than their data type has, as the database declares them."""

    def create_stage(
        self,
        stage: str,
        columns: Mapping[str, str],
        *,
        keys: Sequence[str] = (),
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """An empty staging table. ``keys``: the columns that rows are matched by. ``defaults``: ``publish`` will make a table of it, whose rows
        have these values."""

    def stage(self, stage: str, batch: Batch) -> None:
        """Add rows. Raises RowRefused for rows that the warehouse does not take; none is added."""

    def values(self, array: pa.Array, data_type: str) -> list[Any]:
        """A typed column as plain values for ``insert``."""

    def insert(self, stage: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Add plain values."""

    can_publish: bool

    def publish(self, table: str) -> None:
        """Make the staged rows a table of the dataset, without copying them. Raises RuntimeError
        where ``can_publish`` says no."""

    def prepare_merge(self) -> None:
        """Tell the planner about the staged rows."""

    def drop_stages(self) -> None: ...

    def close(self) -> None: ...
