"""What every CRM folder uses."""

import os

# dlt starts its telemetry while it is imported, before any other way to configure it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
