"""The database sessions of a worker's children: kept from task to task, not opened for each.

To open one costs PostgreSQL more than all that the pool writes of a task. One that lies idle is
ended by the server itself, so that children without work hold none. A SQLite file is opened at no
cost, and a connection to it that a fork inherits destroys it, so Celery goes on closing that.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, signals
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ingestion.services.infra.database import close_connections, refresh_connections
from ingestion.services.infra.throttle import Overdue

LONGEST_SECONDS = 600
IDLE_SECONDS = 60
LOOK_SECONDS = 5.0
HAS_IDLE_LIMIT = 140_000  # PostgreSQL 14, as the server tells its version
FOR_EVER = 2**31


def connect(app: Celery) -> None:
    """Hook this into the workers of ``app``."""
    if connection.vendor == "sqlite":
        return
    # Celery would close the connections before and after each task. Its own name for the setting.
    app.conf["CELERY_DB_REUSE_MAX"] = FOR_EVER
    signals.worker_init.connect(close, dispatch_uid="ingestion.close_sessions")
    signals.worker_process_init.connect(keep, dispatch_uid="ingestion.keep_sessions")
    signals.task_prerun.connect(refresh, dispatch_uid="ingestion.refresh_sessions")


def close(**_: Any) -> None:
    """No child is to inherit one."""
    close_connections()


def keep(**_: Any) -> None:
    """From here on sessions of this process outlive a task."""
    for found in connections.all():
        found.settings_dict["CONN_MAX_AGE"] = LONGEST_SECONDS
    connection_created.connect(limit_idle_time, dispatch_uid="ingestion.limit_idle_time")


_overdue = Overdue(LOOK_SECONDS)


def refresh(**_: Any) -> None:
    """What is too old, or does not answer, is opened again; looked at now and then, as to ask the
    server costs a round trip."""
    if _overdue.take():
        refresh_connections()


def limit_idle_time(connection: BaseDatabaseWrapper, **_: Any) -> None:
    # Behind a pooler the session belongs to somebody else after each transaction.
    is_own = not connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
    if is_own and getattr(connection, "pg_version", 0) >= HAS_IDLE_LIMIT:
        with connection.cursor() as cursor:
            cursor.execute(f"SET idle_session_timeout = {1000 * IDLE_SECONDS}")
