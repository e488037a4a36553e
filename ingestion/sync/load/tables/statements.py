"""The statements that MariaDB writes in another way than PostgreSQL, SQLite and DuckDB."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.sync.load.tables.session import Session


def ends_transactions(session: Session) -> bool:
    """Whether each definition (CREATE, ALTER, DROP) commits what was written before it."""
    return session.dialect == "mariadb"


def update_from(
    session: Session, table: str, source: str, sets: Sequence[tuple[str, str]], where: str
) -> str:
    """Changes rows ``t`` of a table by those of ``source``, which names its alias. ``sets``: quoted
    columns of ``t`` with their values."""
    if session.dialect == "mariadb":
        told = ", ".join(f"t.{column} = {value}" for column, value in sets)
        return f"UPDATE {table} AS t JOIN {source} ON {where} SET {told}"
    told = ", ".join(f"{column} = {value}" for column, value in sets)
    return f"UPDATE {table} AS t SET {told} FROM {source} WHERE {where}"


def on_conflict(session: Session, keys: Sequence[str], changed: Sequence[str]) -> str:
    """The end of an INSERT that writes over the ``changed`` columns of rows that are there."""
    if session.dialect == "mariadb":
        return "ON DUPLICATE KEY UPDATE " + ", ".join(f"{n} = VALUES({n})" for n in changed)
    told = ", ".join(f"{name} = excluded.{name}" for name in changed)
    return f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {told}"


def as_text(session: Session, value: str) -> str:
    return f"CAST({value} AS {'char' if session.dialect == 'mariadb' else 'text'})"


def quotient(session: Session, number: str, by: int) -> str:
    """Of whole numbers, without what is behind the point."""
    return f"{number} {'DIV' if session.dialect == 'mariadb' else '/'} {by}"


def json_differs(session: Session, one: str, other: str) -> str:
    """A condition: two values are not the same JSON, in whatever form somebody wrote them."""
    if session.dialect == "sqlite":
        return session.differs(f"same_json({one})", f"same_json({other})")
    if session.dialect == "mariadb":
        return f"({session.differs(one, other)} AND coalesce(json_equals({one}, {other}), 0) = 0)"
    return session.differs(one, other)
