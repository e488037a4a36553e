"""Load Genius job_change_order_items into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "genius"
    sync_type = "job_change_order_items"
