"""Load Five9 all into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "five9"
    sync_type = "all"
