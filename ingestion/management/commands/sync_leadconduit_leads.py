"""Load LeadConduit leads into the warehouse. Written by ``manage.py makecommands``."""

from ingestion.management.sync import SyncCommand


class Command(SyncCommand):
    crm_source = "leadconduit"
    sync_type = "leads"
