"""The load path of MySQL and MariaDB; nothing else imports dlt.

May use: load, load.columns, load.tables, sync.common.
Entry points: pipeline.
"""

import os

# dlt starts its telemetry while it is imported, before any other way to configure it.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
