"""Random histories of the store over the ledger's database; needs a database."""

from __future__ import annotations

from ingestion.models import PoolAnswer, PoolReferee, SyncHistory
from ingestion.pool.store import PoolPolicy
from tests.contract.machine import StoreMachine
from tests.contract.stores import Pool, ledger_pool


class LedgerMachine(StoreMachine):
    def open(self, policy: PoolPolicy) -> Pool:
        for model in (PoolAnswer, PoolReferee, SyncHistory):
            model.objects.all().delete()
        return ledger_pool(policy)
