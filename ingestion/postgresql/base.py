"""A server that is frozen acknowledges what it gets and answers nothing: no keepalive, no timeout of
TCP and none of its own ends that. So the client stops to wait, see ``ingestion.deadline``.

The statement may have been carried out or not; its connection is dropped, and nobody hears of it. That
the server does not wait on for a lock, with one more of its sessions for each call that was given up,
is what limits of its own are for.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, TypeVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import PQGen

from ingestion import deadline

# What psycopg takes at least for a connection; who has less left need not begin.
CONNECT_SECONDS = 2

# What the role, the database or PGOPTIONS limit stays. Versions before 14, and servers on other systems,
# do not look whether the client of a statement is still there.
SERVER_LIMITS = """
    SELECT set_config(name, value, false)
    FROM (VALUES ('lock_timeout', '10s'), ('statement_timeout', '10min'),
                 ('client_connection_check_interval', '2s')) AS limits (name, value)
    WHERE current_setting(name, true) = '0'
        AND (name NOT LIKE 'client%' OR version() LIKE '%linux%')
"""

T = TypeVar("T")


class Connection(psycopg.Connection[Any]):
    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        ends = deadline.current()
        if ends is None:
            return super().wait(gen, *args, **options)
        seconds = ends.wait_seconds
        try:
            return super().wait(gen, *args, **{**options, "timeout": seconds})
        except psycopg.errors._WaitTimeout as expired:
            self.pgconn.finish()
            raise psycopg.OperationalError(
                f"PostgreSQL did not answer within {seconds:.1f} s."
            ) from expired

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> Connection:
        ends = deadline.current()
        if ends is not None and ends.left_seconds < CONNECT_SECONDS:
            raise psycopg.OperationalError("There was no time left to connect to PostgreSQL again.")
        return super().connect(conninfo, **options)


class DatabaseWrapper(base.DatabaseWrapper):
    Database: Any = SimpleNamespace(**{**vars(psycopg), "connect": Connection.connect})

    def init_connection_state(self) -> None:
        super().init_connection_state()
        # What is set for a session stays with whoever gets it next from such a pooler.
        if self.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS"):
            return
        self.connection.execute(SERVER_LIMITS)
        if not self.get_autocommit():
            self.connection.commit()
