"""The ledger's database: locked, cut off, frozen, read-only."""

from __future__ import annotations

from random import Random

from tests.chaos.faults.base import Done, Undo, Untouchable
from tests.chaos.servers import PostgresLedger
from tests.chaos.system import System


def interrupt_ledger(system: System, draw: Random) -> Done:
    if system.ledger.is_locked:
        raise Untouchable
    system.ledger.interrupt()
    seconds = draw.uniform(0.3, 3)
    return f"for {seconds:.1f} s", Undo(seconds, system.ledger.resume)


def read_only_ledger(system: System, draw: Random) -> Done:
    """As after a failover: every write is refused."""
    ledger = _postgres(system)
    ledger.read_only()
    return _for(draw, ledger, 0.5, 4)


def lock_ledger(system: System, draw: Random) -> Done:
    """A migration, or somebody's forgotten transaction, holds the table."""
    ledger = _postgres(system)
    ledger.lock_table()
    return _for(draw, ledger, 0.5, 4)


def freeze_ledger(system: System, draw: Random) -> Done:
    """It accepts connections and statements, and answers nothing."""
    ledger = _postgres(system)
    ledger.freeze()
    return _for(draw, ledger, 0.5, 8)


def crash_ledger(system: System, draw: Random) -> Done:
    """Connections are reset in the middle of whatever it was, and refused until it is back."""
    ledger = _postgres(system)
    ledger.crash()
    return _for(draw, ledger, 0.5, 4)


def lose_commits(system: System, draw: Random) -> Done:
    """Statements are carried out and nobody hears of it."""
    ledger = _postgres(system)
    ledger.lose_replies()
    return _for(draw, ledger, 0.3, 2)


def _for(draw: Random, ledger: PostgresLedger, least: float, most: float) -> Done:
    seconds = draw.uniform(least, most)
    return f"for {seconds:.1f} s", Undo(seconds, ledger.resume)


def _postgres(system: System) -> PostgresLedger:
    ledger = system.ledger
    if not isinstance(ledger, PostgresLedger) or ledger.is_locked:
        raise Untouchable
    return ledger
