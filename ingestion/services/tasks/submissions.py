"""What becomes of submissions: entered in the ledger, stored, coalesced or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ingestion.pool.clock import from_us
from ingestion.pool.errors import (
    InvalidSubmission,
    InvalidSubmissions,
    LedgerUnavailable,
    Overlaps,
    PoolUnavailable,
)
from ingestion.pool.store import PAGE, PoolStore
from ingestion.pool.task import WorkerTask
from ingestion.services.infra.database import DATABASE_ERRORS, as_unavailable
from ingestion.services.ledger import entries as ledger
from ingestion.services.ledger.entries import Entered
from ingestion.services.requests.submission import Prepared, Submission, Submitted, prepare
from ingestion.services.security import audit
from ingestion.services.tasks import chains
from ingestion.services.tasks.groups import Groups, Waiting
from ingestion.services.tasks.outcomes import clean

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 10_000
TOO_MANY = "Nothing was submitted: other submissions of this process were waited for too long."


@dataclass(frozen=True)
class Refused:
    """A submission of many that was not accepted."""

    error: Overlaps | PoolUnavailable

    def to_dict(self) -> dict[str, Any]:
        """As ``Submitted.to_dict``."""
        error = {"code": self.error.code, "message": str(self.error)}
        return {"task_id": None, "coalesced_into": None, "error": error}


def submit_one(store: PoolStore, good: Prepared) -> Submitted:
    """Raises Overlaps, PoolUnavailable; then the submission leaves no trace."""
    try:
        with entered(good) as entry:
            answer = store.submit(good.task, on_overlap=good.on_overlap)
    except Overlaps as refusal:
        raise _overlaps(store, refusal, good.task) from refusal
    if answer.id != good.task.id:
        _take_back([entry])
    return _accepted(store, good, answer)


@contextmanager
def entered(
    good: Prepared, *, is_accepted: bool = False, may_be_entered: bool = False
) -> Iterator[Entered]:
    """The block stores a submission, which stands in the ledger by then: nothing is accepted without its
    row. Where the store refuses it or is away, it leaves no trace. With ``is_accepted`` the ledger gives
    it its place, see ``entries.enter``. ``may_be_entered``: another thread has tried it, and nobody
    knows how far it came."""
    enter = _unless_entered if may_be_entered else _at_last
    (entry,) = _with_rows([good], enter([good], are_accepted=is_accepted), are_accepted=is_accepted)
    try:
        yield entry
    except PoolUnavailable as problem:
        _take_back([entry])
        raise _not_submitted(problem) from problem
    except Overlaps:
        _take_back([entry])
        raise


def submit_all(
    store: PoolStore,
    good: Sequence[Prepared],
    *,
    told: Callable[[int], None] = lambda done: None,
    are_accepted: bool = False,
) -> list[Submitted | Refused]:
    """What became of each, in their order; see ``TaskLife.submit_many``.

    One transaction of the ledger enters them all, then the store takes them in pages. Where it is
    lost between two pages, the pages before count, and the others leave no trace. ``are_accepted``:
    the ledger gives them their places, as in ``entered``.
    """
    entries = _with_rows(good, _at_last(good, are_accepted=are_accepted), are_accepted=are_accepted)
    found: list[Submitted | Refused] = []
    try:
        for start in range(0, len(good), PAGE):
            page = slice(start, start + PAGE)
            found += _stored(store, good[page], entries[page], are_placed=are_accepted)
            told(len(found))
    except PoolUnavailable as problem:
        left = entries[len(found) :]
        _take_back(left)
        if not found:
            raise _not_submitted(problem) from problem
        found += [Refused(_not_submitted(problem))] * len(left)
    return found


@dataclass(frozen=True)
class Turn:
    """Of one submission among those of several threads. ``became``: another thread has submitted it
    too; else it is up to its own. ``may_be_entered``: see ``entered``."""

    became: Submitted | None = None
    may_be_entered: bool = False


class Alone(Protocol):
    """Submits one, and starts what may start."""

    def __call__(self, good: Prepared, *, turn: Turn) -> Submitted: ...


class SharedSubmissions:
    """Submissions of several threads at the same time: one transaction of the ledger, one script of the
    store. ``advance`` starts what may start, and returns it."""

    def __init__(
        self, store: PoolStore, *, alone: Alone, advance: Callable[[], tuple[WorkerTask, ...]]
    ) -> None:
        self._store = store
        self._alone = alone
        self._advance = advance
        self._groups: Groups[Prepared, Submitted | Refused] = Groups(self._together, largest=PAGE)

    @contextmanager
    def turn(self, good: Prepared) -> Iterator[Turn]:
        """The block submits it, where nobody has done that already: while other threads are at it, one
        of those that wait does it for all."""
        if not ledger.may_share():
            yield Turn()
            return
        signed = replace(good, asked_by=audit.actor(good.submission.requested_by))
        mine = self._groups.begin(signed)
        if mine is not None:
            yield self._waited(mine)
            return
        try:
            yield Turn()
        finally:
            self._groups.end()

    def _waited(self, mine: Waiting[Prepared, Submitted | Refused]) -> Turn:
        try:
            became = self._groups.wait(mine)
        except TimeoutError:
            raise LedgerUnavailable(TOO_MANY) from None
        if isinstance(became, Refused):
            raise type(became.error)(str(became.error))
        return Turn(became, may_be_entered=became is None)

    def _together(self, good: Sequence[Prepared]) -> Sequence[Submitted | Refused | None]:
        """None for each where one of them is at fault, and nobody knows which."""
        if len(good) == 1:
            return [self._alone(good[0], turn=Turn())]
        try:
            found = submit_all(self._store, good, are_accepted=True)
        except PoolUnavailable as problem:
            return [Refused(problem)] * len(good)
        except (*DATABASE_ERRORS, ValueError):
            logger.warning("%d submissions are not entered together", len(good), exc_info=True)
            return [None] * len(good)
        started = {task.id: task for task in self._advance()}
        return [
            replace(became, task=started.get(became.task_id, became.task))
            if isinstance(became, Submitted)
            else became
            for became in found
        ]


def prepare_all(asked: Sequence[Submission], *, usual_attempts: int) -> list[Prepared]:
    """Raises InvalidSubmissions, which names every wrong one."""
    if len(asked) > MOST_AT_ONCE:
        raise InvalidSubmission(
            f"{len(asked)} submissions at once are too many; {MOST_AT_ONCE} are allowed."
        )
    prepared = [_prepared(one, usual_attempts) for one in asked]
    found = chains.checked_all(prepared)
    wrong = [(n, one) for n, one in enumerate(found) if isinstance(one, InvalidSubmission)]
    if wrong:
        raise InvalidSubmissions.of(wrong)
    return [one for one in found if isinstance(one, Prepared)]


def _prepared(asked: Submission, usual_attempts: int) -> Prepared | InvalidSubmission:
    try:
        return prepare(asked, usual_attempts=usual_attempts)
    except InvalidSubmission as problem:
        return problem


def _with_rows(
    good: Sequence[Prepared], entries: Sequence[Entered], *, are_accepted: bool
) -> Sequence[Entered]:
    """The tasks know their rows, and their places where the ledger has given them."""
    for one, entry in zip(good, entries, strict=True):
        one.task.sync_history_id = entry.row_id
        if are_accepted and entry.place_us is not None:
            one.task.queued_at = from_us(entry.place_us)
    return entries


def _at_last(good: Sequence[Prepared], *, are_accepted: bool) -> list[Entered]:
    """By the second try: whether the rows were written is not known where only the answer was
    lost."""
    try:
        with as_unavailable():
            return ledger.enter(good, are_accepted=are_accepted)
    except LedgerUnavailable as problem:
        try:
            return _unless_entered(good, are_accepted=are_accepted)
        except LedgerUnavailable:
            raise _not_submitted(problem) from problem


def _unless_entered(good: Sequence[Prepared], *, are_accepted: bool) -> list[Entered]:
    with as_unavailable():
        return ledger.entered(good) or ledger.enter(good, are_accepted=are_accepted)


def _not_submitted(problem: PoolUnavailable) -> PoolUnavailable:
    return type(problem)(f"Nothing was submitted: {clean(str(problem))}")


def _take_back(entries: Sequence[Entered]) -> None:
    """The reply of the store may be what was lost: a worker that finds no row drops the task."""
    with as_unavailable():
        ledger.take_back(entries)


def _stored(
    store: PoolStore, good: Sequence[Prepared], entries: Sequence[Entered], *, are_placed: bool
) -> list[Submitted | Refused]:
    asked = [(one.task, one.on_overlap) for one in good]
    answers = store.submit_many(asked, are_placed=are_placed)
    needless = [
        entry
        for one, entry, answer in zip(good, entries, answers, strict=True)
        if isinstance(answer, Overlaps) or answer.id != one.task.id
    ]
    if needless:
        _take_back(needless)
    return [
        Refused(_overlaps(store, answer, one.task))
        if isinstance(answer, Overlaps)
        else _accepted(store, one, answer)
        for one, answer in zip(good, answers, strict=True)
    ]


def _accepted(store: PoolStore, good: Prepared, answer: WorkerTask) -> Submitted:
    """``answer`` is the task that stands for it: its own, or the one that coalesced it."""
    if answer.id == good.task.id:
        return Submitted(answer.id, None, answer)
    ledger.follow_place(answer, epoch=store.epoch)
    audit.record(
        "coalesce",
        change=good.submission.change,
        target=answer.id,
        before={"route": good.task.route, "priority": good.task.priority},
        after={"route": answer.route, "priority": answer.priority, "revision": answer.revision},
    )
    return Submitted(answer.id, answer.id, answer)


def _overlaps(store: PoolStore, refusal: Overlaps, asked: WorkerTask) -> Overlaps:
    other = store.get(refusal.other_id)
    how = f"is {other.status}" if other else "was there just now"
    which = f"task {refusal.other_id} ({other.route if other else asked.route}) {how}"
    return Overlaps(f"{asked.route} was not submitted: {which}.", other_id=refusal.other_id)
