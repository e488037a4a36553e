"""Sources that change while they are read, as ``make histories`` makes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from ingestion.sync.common.errors import SyncError
from tests.mutants.lives.stage import Life, Stage
from tests.mutants.outcome import Outcome
from tests.truth.changing import CHANGES
from tests.truth.histories import History


def moves(kind: str, seed: int, *, rate: float) -> Life:
    """Rows change places while a run reads them, so all of them are there after it."""

    def played(stage: Stage) -> Outcome:
        history = _history(stage, kind, seed, ("a row moves",))
        with closing(history.source):
            history.rate = rate
            history.sync()
            _sync_with_changes(stage, history)
            return stage.outcome(history.source.model)

    return played


def changes(kind: str, seed: int) -> Life:
    """Everything occurs while runs read; the last run is left in peace."""

    def played(stage: Stage) -> Outcome:
        history = _history(stage, kind, seed, CHANGES)
        with closing(history.source):
            history.sync()
            for _ in range(2):
                _sync_with_changes(stage, history)
                history.sync()
            # With another number of requests other changes occur, so the source tells what is right.
            is_right = history.source.living() == history.source.in_warehouse()
            outcome = stage.outcome(history.source.model)
            return replace(outcome, rows="as the source" if is_right else "wrong")

    return played


def _history(stage: Stage, kind: str, seed: int, kinds: tuple[str, ...]) -> History:
    return History(seed, kind, stage.world, stage.server, stage.folder, changes=kinds)


def _sync_with_changes(stage: Stage, history: History) -> None:
    try:
        stage.note(history.sync(is_changing=True).warning)
    except SyncError as problem:
        stage.note(f"failed: {problem}")


LISTS = ("salesrabbit.leads", "arrivy.bookings", "arrivy.tasks")
LIVES: Mapping[str, Life] = {
    **{f"{name} moves {n}": moves(f"rest {name}", n, rate=0.3) for name in LISTS for n in (1, 2)},
    **{f"{name} changes": changes(f"rest {name}", 3) for name in LISTS},
    **{f"{kind} changes {n}": changes(kind, n) for kind in ("sql", "soap") for n in (1, 2)},
    **{f"sheet moves {n}": moves("sheet", n, rate=0.05) for n in (1, 2, 3)},
}
