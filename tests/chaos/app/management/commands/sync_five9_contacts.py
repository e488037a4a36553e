from tests.chaos.app.sync import ChaosSync


class Command(ChaosSync):
    crm_source = "five9"
    sync_type = "contacts"
