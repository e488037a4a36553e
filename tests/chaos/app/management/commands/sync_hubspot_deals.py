from tests.chaos.app.sync import ChaosSync


class Command(ChaosSync):
    crm_source = "hubspot"
    sync_type = "deals"
