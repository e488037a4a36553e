"""Random histories of the store over the ledger's database; needs a database."""

from __future__ import annotations

from ingestion.models import ActiveStoreState, PoolAnswer, SyncHistory
from ingestion.pool.store import PoolPolicy
from tests.contract.stateful import StoreMachine
from tests.contract.stores import Pool, ledger_pool


class LedgerMachine(StoreMachine):
    def open(self, policy: PoolPolicy) -> Pool:
        for model in (PoolAnswer, ActiveStoreState, SyncHistory):
            model.objects.all().delete()
        return ledger_pool(policy)
