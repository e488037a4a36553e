"""What the failover asks of its two stores, whatever they are made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, Self, runtime_checkable

from ingestion.pool.controls import Named
from ingestion.pool.order_rule import PriorityAging
from ingestion.pool.record import TaskRecord
from ingestion.pool.store import PoolStore
from ingestion.pool.task import WorkerTask


class PrimaryStore(PoolStore, Protocol):
    """The store that decides while it can be reached. It may lose its state, and gets it back."""

    @property
    def is_incomplete(self) -> bool:
        """A part of the state was found missing; whole again only after a rebuild."""

    def at(self, epoch: int | None, *, installation: str = "") -> Self:
        """The same store, for the state of ``epoch`` alone: on any other it raises StateLost, and on
        that of another ``installation`` OtherInstallation."""

    def probe(self) -> None:
        """Raises PoolUnavailable unless the server takes writes and answers."""

    def has_moved(self) -> bool:
        """Another server has its place than the one that was asked last; the next call asks it."""

    def find_lost(self) -> None:
        """Raises StateLost where a task is listed and gone, which may show much later by itself."""

    def unwritten(
        self, known: Iterable[tuple[str, str, int]], *, of_epoch: int
    ) -> Iterable[WorkerTask]:
        """Of these tasks (id, status, attempt) those that have ended or gone back to the queue since,
        as far as what is left of the state can be believed. Raises PoolUnavailable."""

    def rebuild(
        self,
        tasks: Iterable[TaskRecord],
        *,
        epoch: int,
        controls: Named,
        priority_aging: PriorityAging | None = None,
        takes_over: bool = False,
    ) -> int:
        """Replace the whole state, which is then that of ``epoch``; how many tasks there are.
        Raises StateLost where a later rebuild was faster, OtherInstallation unless it
        ``takes_over`` what belongs to another, PoolUnavailable."""


class FallbackStore(PoolStore, Protocol):
    """The store that decides meanwhile: it has every task already."""

    def at(self, epoch: int) -> Self:
        """The same store, which raises ActiveStoreChanged unless it decides, in ``epoch``."""


@runtime_checkable
class ReadsLease(Protocol):
    """A store that can answer a heartbeat without a write."""

    def holding(self, task_id: str, *, attempt: int) -> WorkerTask:
        """The task. Errors as those of ``heartbeat``."""


@runtime_checkable
class RecordsAttempts(Protocol):
    """A store that has every attempt recorded in the ledger before its sync begins."""

    def recorded_row(self, task_id: str) -> int | None:
        """The id of the open row in which this process has just recorded an attempt; says it once.
        None where the row is still to be looked for."""


@runtime_checkable
class HoldsLegacy(Protocol):
    """A store that an older version may have left pickled values in."""

    def pickled_legacy(self) -> tuple[str, ...]:
        """What was found and not read, by name."""

    def import_pickled(self) -> tuple[int, int]:
        """Import it, running nothing of it: how many tasks were put back, and how many entries
        could not be read and became dead letters."""


@runtime_checkable
class SharesRedis(Protocol):
    """A store whose state in Redis may belong to another installation."""

    def take_over(self) -> int:
        """Put this installation's state in its place; how many tasks it has. Raises
        PoolUnavailable."""


def pickled_state(names: tuple[str, ...]) -> str:
    """What an operator is told of it; '' where there is nothing."""
    if not names:
        return ""
    return (
        f"Redis holds state of an older version that is pickled and was not read: "
        f"{', '.join(names)}. If this pool wrote it, run: manage.py manage_worker_pool import-old-state"
    )
