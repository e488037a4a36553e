"""Takes out rows that share a key: the unique index was dropped, and somebody has written."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.load.tables.session import Session


def forget_repeated(session: Session, model: str, keys: Sequence[str]) -> int:
    """All but one of the rows that share a key, a living one where there is one; how many they
    were."""
    columns = ", ".join(map(session.quote, keys))
    if session.dialect == "mariadb":
        return _by_copy(session, model, keys, columns)
    row = "ctid" if session.dialect == "postgresql" else "rowid"
    of = session.table(model)
    numbered = (
        f"SELECT {row} AS place, row_number() OVER (PARTITION BY {columns}"
        f" ORDER BY {DELETED_AT} IS NOT NULL, {row}) AS number FROM {of}"
    )
    return session.execute(
        f"DELETE FROM {of} WHERE {row} IN (SELECT place FROM ({numbered}) AS numbered"
        " WHERE number > 1)"
    )


def _by_copy(session: Session, model: str, keys: Sequence[str], columns: str) -> int:
    """MariaDB gives its rows no address: one of each key is put aside and back."""
    of, aside = session.table(model), session.staged("once")
    named = ", ".join(map(session.quote, session.columns_of(model)))
    numbered = (
        f"SELECT {named}, row_number() OVER (PARTITION BY {columns}"
        f" ORDER BY {DELETED_AT} IS NOT NULL) AS _number FROM {of} WHERE ({columns}) IN"
        f" (SELECT {columns} FROM {of} GROUP BY {columns} HAVING count(*) > 1)"
    )
    session.execute(
        f"CREATE TEMPORARY TABLE {aside} AS SELECT {named} FROM ({numbered}) AS numbered"
        " WHERE _number = 1"
    )
    same = " AND ".join(f"t.{session.quote(k)} = s.{session.quote(k)}" for k in keys)
    deleted = session.execute(f"DELETE t FROM {of} AS t JOIN {aside} AS s ON {same}")
    back = session.execute(f"INSERT INTO {of} ({named}) SELECT {named} FROM {aside}")
    session.execute(f"DROP TEMPORARY TABLE {aside}")
    return deleted - back
