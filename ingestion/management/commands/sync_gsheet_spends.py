"""Load Google Sheets spends into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "gsheet"
    sync_type = "spends"
