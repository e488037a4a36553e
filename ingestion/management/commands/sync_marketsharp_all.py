"""Load MarketSharp all into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "marketsharp"
    sync_type = "all"
