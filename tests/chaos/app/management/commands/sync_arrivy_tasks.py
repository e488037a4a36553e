from tests.chaos.app.sync import ChaosSync


class Command(ChaosSync):
    crm_source = "arrivy"
    sync_type = "tasks"
