"""The views that a question in a PostgreSQL warehouse reads: ``<crm>_masked.<model>`` without what is
masked, ``<crm>_personal.<model>`` with personal data, each with ``<model>_current`` beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from psycopg import sql

from ingestion.services.data.sql.answer import readable
from ingestion.services.data.sql.roles import AUDIENCES, PERSONAL, role_name, schema_name
from ingestion.sync.common.names import DELETED_AT
from ingestion.sync.common.source import Crm
from ingestion.sync.load.columns.types import of_postgresql

LOCK: Final = 0x53514C5F424F58
_COLUMNS: Final = """
SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
       format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'p') ORDER BY 1, 2, a.attnum
"""
_VIEWS: Final = """
SELECT n.nspname, c.relname, obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind = 'v'
"""


@dataclass(frozen=True)
class View:
    """``query``: what it shows. ``mark``: tells one definition from another."""

    schema: str
    name: str
    role: str
    query: str

    @property
    def mark(self) -> str:
        return hashlib.sha256(self.query.encode()).hexdigest()

    @property
    def place(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    def statements(self, *, is_there: bool) -> Iterator[sql.Composed]:
        if is_there:
            yield sql.SQL("DROP VIEW {}").format(self.place)
        yield sql.SQL("CREATE VIEW {} AS {}").format(self.place, sql.SQL(self.query))
        yield sql.SQL("COMMENT ON VIEW {} IS {}").format(self.place, sql.Literal(self.mark))
        yield sql.SQL("GRANT SELECT ON {} TO {}").format(self.place, sql.Identifier(self.role))


def make_current(connection: Any, database: str, found: list[Crm]) -> None:
    """Make the views of these CRMs what the tables, the names of the columns and the settings say; two
    questions where nothing has changed. Views of tables that are gone went with them."""
    wanted = list(_wanted(connection, database, found))
    schemas = sorted({view.schema for view in wanted})
    there = {(s, n): mark for s, n, mark in connection.execute(_VIEWS, (schemas,))}
    known = {(view.schema, view.name) for view in wanted}
    changed = [v for v in wanted if there.get((v.schema, v.name)) != v.mark]
    left = [place for place in there if place not in known]
    if not changed and not left:
        return
    with connection.transaction():
        connection.execute("SET LOCAL lock_timeout = '3s'")
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        there = {(s, n): mark for s, n, mark in connection.execute(_VIEWS, (schemas,))}
        for schema, role in sorted({(view.schema, view.role) for view in wanted}):
            names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {schema}").format(**names))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
        for place in left:
            connection.execute(sql.SQL("DROP VIEW IF EXISTS {}").format(sql.Identifier(*place)))
        for view in changed:
            for statement in view.statements(is_there=(view.schema, view.name) in there):
                connection.execute(statement)


def _wanted(connection: Any, database: str, found: list[Crm]) -> Iterator[View]:
    models = {crm.name: {model.name for model in crm.models} for crm in found}
    rows = connection.execute(_COLUMNS, (sorted(models),)).fetchall()
    for (crm_source, table), columns in groupby(rows, key=lambda row: (row[0], row[1])):
        if table in models[crm_source]:
            yield from _of_table(connection, database, crm_source, table, list(columns))


def _of_table(
    connection: Any, database: str, crm_source: str, table: str, columns: list[Any]
) -> Iterator[View]:
    types = {name: of_postgresql(kind) for _, _, name, _, kind in columns}
    declared = {name: kind for _, _, name, kind, _ in columns}
    for of in AUDIENCES:
        may_read = readable(crm_source, table, types, personal=of == PERSONAL)
        values = sql.SQL(", ").join(
            sql.Identifier(name)
            if may_read[name]
            else sql.SQL("NULL::{} AS {}").format(sql.SQL(declared[name]), sql.Identifier(name))
            for name in types
        )
        query = sql.SQL("SELECT {} FROM {}").format(values, sql.Identifier(crm_source, table))
        schema, role = schema_name(crm_source, of), role_name(database, of)
        yield View(schema, table, role, query.as_string(connection))
        if may_read.get(DELETED_AT):
            living = sql.SQL("{} WHERE {} IS NULL").format(query, sql.Identifier(DELETED_AT))
            yield View(schema, f"{table}_current", role, living.as_string(connection))
