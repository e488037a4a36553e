"""Makes the roles of the SQL box, or says how somebody else makes them."""

from __future__ import annotations

from contextlib import closing

import psycopg

from ingestion.conf import warehouse_conf
from ingestion.services.data.errors import WarehouseAway
from ingestion.services.data.sql import roles
from ingestion.services.data.sql.answer import NoBox, RefusedQuery
from ingestion.sync.common.errors import SyncError


def role_statements() -> list[str]:
    """What an administrator of the server runs. Raises NoBox and WarehouseAway."""
    return _with_connection(carry_out=False)


def make_roles() -> list[str]:
    """By the user of the warehouse, who must be allowed to make roles; what was carried out. Raises
    NoBox, RefusedQuery and WarehouseAway."""
    return _with_connection(carry_out=True)


def _with_connection(*, carry_out: bool) -> list[str]:
    from ingestion.sync.common.warehouse import Warehouse

    try:
        with closing(Warehouse(warehouse_conf().url)) as warehouse:
            if not warehouse.is_postgres:
                raise NoBox("Only a PostgreSQL warehouse has roles; SQLite needs none.")
            with closing(warehouse.lend()) as connection:
                connection.rollback()
                connection.autocommit = True
                made = list(roles.statements(connection, str(warehouse.url.database)))
                for statement in made if carry_out else ():
                    connection.execute(statement)
                return made
    except psycopg.errors.InsufficientPrivilege as refused:
        raise RefusedQuery(
            "The user of WAREHOUSE_URL may not make roles; give an administrator of the server what"
            " --print prints."
        ) from refused
    except (SyncError, psycopg.OperationalError) as problem:
        raise WarehouseAway("The warehouse cannot be reached now.") from problem
