"""Load Genius change_order_items into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "genius"
    sync_type = "change_order_items"
