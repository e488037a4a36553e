"""A chaos that is over in a minute; ``make chaos`` is the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.notes import Notes
from tests.chaos.plan import plan_for
from tests.chaos.runner import Runner
from tests.chaos.servers import SqliteLedger
from tests.chaos.system import Shape, System

# Without those after which something waits for long by design.
KINDS = dict.fromkeys(
    (
        *("kill_child", "kill_worker", "stop_worker_past_lease"),
        *("flush_broker", "flush_cache", "kill_cache", "interrupt_ledger"),
        *("deliver_again", "two_monitors", "cancel", "limit"),
    ),
    1,
)


@pytest.mark.redis
@pytest.mark.worker
@pytest.mark.slow
def test_every_promise_holds_in_a_small_chaos(tmp_path: Path) -> None:
    system = System(tmp_path, SqliteLedger(tmp_path), Notes(), Shape(workers=2, concurrency=3))
    plan = plan_for(1, tasks=60, faults=11, kinds=KINDS, retries=False)
    try:
        system.start()
        verdict = Runner(system, plan, say=print).run()
    finally:
        system.stop()
    assert sum(system.notes.faults.values()) == 11
    assert verdict.findings == []
