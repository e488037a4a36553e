"""Random histories keep the pool's promises, in every store.

``make test`` runs a few; ``make machine`` goes on for ten minutes (``MACHINE_SECONDS``).
"""

from __future__ import annotations

import os
import time

import fakeredis
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from ingestion.services.system.embedded_redis import EmbeddedRedis
from tests.contract.stateful import StoreMachine
from tests.contract.stateful_ledger import LedgerMachine
from tests.contract.stateful_redis import RedisMachine, RepeatingFakeRedis, RepeatingRedis

MACHINE_SECONDS = float(os.environ.get("MACHINE_SECONDS", "0"))
STEPS = 40


def run(machine: type[RuleBasedStateMachine], *, examples: int, share: float) -> None:
    """Once, or again and again for its share of MACHINE_SECONDS."""
    deadline = time.monotonic() + share * MACHINE_SECONDS
    chosen = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    while True:
        run_state_machine_as_test(machine, settings=chosen)
        if time.monotonic() >= deadline:
            return


def test_in_memory() -> None:
    run(StoreMachine, examples=40, share=0.2)


def test_on_fakeredis() -> None:
    class OnFakeRedis(RedisMachine):
        client = RepeatingFakeRedis(server=fakeredis.FakeServer())

    run(OnFakeRedis, examples=5, share=0.1)


@pytest.mark.redis
def test_on_a_real_server(redis_server: EmbeddedRedis) -> None:
    class OnRedis(RedisMachine):
        client = RepeatingRedis.from_url(redis_server.url(3))

    run(OnRedis, examples=20, share=0.4)


@pytest.mark.django_db
def test_over_the_ledger() -> None:
    run(LedgerMachine, examples=6, share=0.3)
