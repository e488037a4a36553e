"""Makes a table of SQLite again with other types: SQLite has no statement that changes them."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.sync.load.columns.column_map import OF_DLT
from ingestion.sync.load.columns.types import declared
from ingestion.sync.load.tables.session import Row, Session


def rebuild(session: Session, table: str, types: Mapping[str, str]) -> None:
    """Inside a transaction. ``types``: the columns that get another type. Rows, other columns,
    indexes, triggers and the views on the table stay."""
    columns = session.rows(
        'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)', (table,)
    )
    beside = session.rows(
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ? AND type IN ('index', 'trigger')"
        " AND sql IS NOT NULL",
        (table,),
    )
    new = session.table(f"_new_{table}")
    session.execute(f"CREATE TABLE {new} ({', '.join(_told(session, c, types) for c in columns)})")
    values = ", ".join(_value(session, column[0], types) for column in columns)
    session.execute(f"INSERT INTO {new} SELECT {values} FROM {session.table(table)}")
    session.execute(f"DROP TABLE {session.table(table)}")
    # Else SQLite would look through the views on the table, which is gone for a moment.
    session.execute("PRAGMA legacy_alter_table = ON")
    session.execute(f"ALTER TABLE {new} RENAME TO {session.quote(table)}")
    session.execute("PRAGMA legacy_alter_table = OFF")
    for (statement,) in beside:
        session.execute(statement)


def _value(session: Session, name: str, types: Mapping[str, str]) -> str:
    """SQLite itself writes 15 digits of a number into a text."""
    quoted = session.quote(name)
    return f"exact_text({quoted})" if types.get(name) == "text" else quoted


def _told(session: Session, column: Row, types: Mapping[str, str]) -> str:
    name, kind, is_required, default = column
    if name in types:
        kind = declared(types[name], "sqlite")
    words = [session.quote(name), kind]
    if is_required and name not in OF_DLT:
        words.append("NOT NULL")
    if default is not None:
        words.append(f"DEFAULT ({default})")
    return " ".join(filter(None, words))
