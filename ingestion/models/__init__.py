"""The tables of Django's database: the ledger, the audit record, what operators set.

May use: nothing.
Entry points: the package itself, automation, notices, run_metrics.
"""

from ingestion.models.active_store import ActiveStoreState, PoolAnswer
from ingestion.models.api import ApiAnswer, ApiToken
from ingestion.models.audit import AuditRecord
from ingestion.models.automation import AutomationReport, RuleAct, RuleSetting
from ingestion.models.breaker import CrmBreaker
from ingestion.models.dataset_profile import DatasetProfile
from ingestion.models.freshness import FreshnessBound
from ingestion.models.held_deletions import HeldDeletions
from ingestion.models.notices import Delivery, NoticeChannel, NoticeRound, Trouble
from ingestion.models.pool_setting import PoolSetting
from ingestion.models.rights import WorkerPoolRights
from ingestion.models.run_line import RunLine
from ingestion.models.sync_history import SyncHistory
from ingestion.models.sync_schedule import SyncSchedule

__all__ = [
    "ApiAnswer",
    "ApiToken",
    "AuditRecord",
    "AutomationReport",
    "CrmBreaker",
    "DatasetProfile",
    "Delivery",
    "FreshnessBound",
    "HeldDeletions",
    "NoticeChannel",
    "NoticeRound",
    "PoolAnswer",
    "ActiveStoreState",
    "PoolSetting",
    "RuleAct",
    "RuleSetting",
    "RunLine",
    "SyncHistory",
    "SyncSchedule",
    "Trouble",
    "WorkerPoolRights",
]
