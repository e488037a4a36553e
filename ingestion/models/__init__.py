"""The ledger and the settings that operators change."""

from ingestion.models.api import ApiAnswer, ApiToken
from ingestion.models.audit import AuditRecord
from ingestion.models.automation import AutomationReport, RuleAct, RuleSetting
from ingestion.models.pool_referee import PoolAnswer, PoolReferee
from ingestion.models.pool_setting import PoolSetting
from ingestion.models.rights import WorkerPoolRights
from ingestion.models.sync_history import SyncHistory
from ingestion.models.sync_schedule import SyncSchedule

__all__ = [
    "ApiAnswer",
    "ApiToken",
    "AuditRecord",
    "AutomationReport",
    "PoolAnswer",
    "PoolReferee",
    "PoolSetting",
    "RuleAct",
    "RuleSetting",
    "SyncHistory",
    "SyncSchedule",
    "WorkerPoolRights",
]
