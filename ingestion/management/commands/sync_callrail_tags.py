"""Load CallRail tags into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "callrail"
    sync_type = "tags"
