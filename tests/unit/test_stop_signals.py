"""What a child does when it is signalled while it runs a sync. The signals are real; this process
only passes for a child."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.services.worker import stop_signals
from ingestion.services.worker.lease import Lease
from ingestion.services.worker.stop_signals import CANCEL_NOW, SHUT_DOWN, SHUT_DOWN_NOW, StopSignals
from ingestion.sync.common.errors import SyncCancelled, SyncInterrupted, SyncLeaseLost

ALL = (CANCEL_NOW, SHUT_DOWN, SHUT_DOWN_NOW)


def send(number: signal.Signals) -> None:
    signal.raise_signal(number)


def swallow_a_cancel_then_send(number: signal.Signals) -> None:
    with pytest.raises(SyncCancelled):
        send(CANCEL_NOW)
    send(number)


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> Iterator[StopSignals]:
    monkeypatch.setattr(stop_signals, "_is_child", lambda: True)
    # That of this test run would end it.
    before = signal.signal(SHUT_DOWN, signal.SIG_DFL)
    with StopSignals() as found:
        yield found
    signal.signal(SHUT_DOWN, before)


@pytest.fixture
def lease() -> Lease:
    """Of a task that nobody renews."""
    return Lease(SimpleNamespace(), "t1", attempt=1, interval_seconds=60)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("number", "stop"), [(CANCEL_NOW, SyncCancelled), (SHUT_DOWN_NOW, SyncInterrupted)]
)
def test_a_sync_is_interrupted_where_it_is(
    signals: StopSignals, lease: Lease, number: signal.Signals, stop: type[BaseException]
) -> None:
    with pytest.raises(stop), signals.interrupting(lease):
        send(number)


def test_it_is_told_why_it_was_cancelled(signals: StopSignals, lease: Lease) -> None:
    lease.cancel_reason = "Cancelled by ann."
    with pytest.raises(SyncCancelled, match="ann"), signals.interrupting(lease):
        send(CANCEL_NOW)


def test_one_that_lost_its_lease_is_told_so(signals: StopSignals, lease: Lease) -> None:
    lease.is_lost = True
    with pytest.raises(SyncLeaseLost), signals.interrupting(lease):
        send(CANCEL_NOW)


def test_a_sync_that_noticed_it_cleans_up_undisturbed(signals: StopSignals, lease: Lease) -> None:
    """By the lease's own thread; its worker's main process still interrupts it."""
    with signals.interrupting(lease):
        lease.is_lost = True
        with pytest.raises(SyncLeaseLost):
            lease.check()
        signals.stop_lost_run()
        with pytest.raises(SyncLeaseLost):
            send(CANCEL_NOW)


def test_a_sync_that_has_not_noticed_it_is_interrupted(signals: StopSignals, lease: Lease) -> None:
    with signals.interrupting(lease):
        lease.is_lost = True
        with pytest.raises(SyncLeaseLost):
            signals.stop_lost_run()


def test_a_shutdown_waits_for_the_end_of_the_page(signals: StopSignals, lease: Lease) -> None:
    with signals.interrupting(lease):
        send(SHUT_DOWN)
        send(SHUT_DOWN)
        with pytest.raises(SyncInterrupted):
            signals.check()


def test_what_was_swallowed_is_raised_again_after_the_page(
    signals: StopSignals, lease: Lease
) -> None:
    with signals.interrupting(lease):
        with pytest.raises(SyncCancelled):
            send(CANCEL_NOW)
        send(CANCEL_NOW)
        with pytest.raises(SyncCancelled):
            signals.check()


def test_one_that_swallowed_it_is_made_to_leave(signals: StopSignals, lease: Lease) -> None:
    with pytest.raises(SystemExit) as left, signals.interrupting(lease):
        swallow_a_cancel_then_send(SHUT_DOWN)
    assert left.value.code == SHUT_DOWN - 256


def test_it_leaves_by_the_handler_of_its_pool(
    lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Left(BaseException):
        pass

    def leave(number: int, frame: Any) -> None:
        raise Left

    monkeypatch.setattr(stop_signals, "_is_child", lambda: True)
    before = signal.signal(SHUT_DOWN, leave)
    try:
        with pytest.raises(Left), StopSignals() as signals, signals.interrupting(lease):
            swallow_a_cancel_then_send(SHUT_DOWN)
    finally:
        signal.signal(SHUT_DOWN, before)


def test_nothing_disturbs_the_report(signals: StopSignals, lease: Lease) -> None:
    with pytest.raises(SyncCancelled), signals.interrupting(lease):
        send(CANCEL_NOW)
    for number in ALL:
        send(number)


@pytest.mark.parametrize(
    ("number", "stop"),
    [(CANCEL_NOW, SyncCancelled), (SHUT_DOWN, SyncInterrupted), (SHUT_DOWN_NOW, SyncInterrupted)],
)
def test_a_sync_does_not_begin_after_the_signal(
    signals: StopSignals, lease: Lease, number: signal.Signals, stop: type[BaseException]
) -> None:
    send(number)
    with pytest.raises(stop), signals.interrupting(lease):
        pytest.fail("it began")


def test_the_pools_own_handlers_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [signal.getsignal(number) for number in ALL]
    monkeypatch.setattr(stop_signals, "_is_child", lambda: True)
    with StopSignals():
        assert [signal.getsignal(number) for number in ALL] != before
    assert [signal.getsignal(number) for number in ALL] == before


def test_outside_of_a_child_nothing_is_taken() -> None:
    before = [signal.getsignal(number) for number in ALL]
    with StopSignals() as signals:
        assert [signal.getsignal(number) for number in ALL] == before
        signals.check()


@pytest.mark.parametrize(
    ("number", "stop"), [(CANCEL_NOW, SyncCancelled), (SHUT_DOWN_NOW, SyncInterrupted)]
)
def test_an_import_is_not_cut_off(
    signals: StopSignals,
    lease: Lease,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    stop: type[BaseException],
) -> None:
    """A package of which one module was loaded and the rest was not cannot be imported again in that
    process: every later sync of it would fail."""
    package = tmp_path / f"package_for_{number.name.lower()}"
    package.mkdir()
    (package / "inner.py").write_text("")
    signalled = (
        f"import signal\nfrom {package.name} import inner\nsignal.raise_signal({number:d})\n"
    )
    (package / "__init__.py").write_text(f"{signalled}whole = inner\n")
    monkeypatch.syspath_prepend(tmp_path)
    with signals.interrupting(lease):
        assert import_module(package.name).whole
        with pytest.raises(stop):
            signals.check()
