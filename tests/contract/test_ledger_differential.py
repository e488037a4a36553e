"""Random histories: a store over the ledger and one in memory never come to differ."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from ingestion.models import ActiveStoreState, PoolAnswer, SyncHistory
from tests.contract.stores import Pool, ledger_pool
from tests.contract.test_store_differential import POLICY, BothStores

EXAMPLES = int(os.environ.get("LEDGER_TWINS_EXAMPLES", "5"))


class LedgerTwins(BothStores):
    def first_twin(self) -> Pool:
        return ledger_pool(POLICY)

    def teardown(self) -> None:
        for model in (SyncHistory, ActiveStoreState, PoolAnswer):
            model.objects.all().delete()


@pytest.mark.django_db
def test_ledger_and_memory_never_differ() -> None:
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(LedgerTwins, settings=chosen)
