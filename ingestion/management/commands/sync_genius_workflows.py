"""Load Genius workflows into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "genius"
    sync_type = "workflows"
