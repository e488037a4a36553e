"""Load Arrivy users into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "arrivy"
    sync_type = "users"
