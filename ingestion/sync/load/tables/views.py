"""Views that stand on a table of PostgreSQL: dropped and made again around a change of its types,
with their owners, grants, options, comments and, where they are materialized, their indexes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from ingestion.sync.load.tables.session import Session

# Those that stand on others come after them.
_DEPENDENT: Final = """
WITH RECURSIVE dependent (oid, depth) AS (
    SELECT r.ev_class, 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = ?::regclass AND r.ev_class <> d.refobjid
    UNION
    SELECT r.ev_class, dependent.depth + 1
    FROM dependent JOIN pg_depend d ON d.refobjid = dependent.oid
    JOIN pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND r.ev_class <> d.refobjid
)
SELECT c.oid, c.oid::regclass::text, c.relkind = 'm', pg_get_viewdef(c.oid),
       quote_ident(pg_get_userbyid(c.relowner)), array_to_string(c.reloptions, ', '),
       obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN (SELECT oid, max(depth) AS depth FROM dependent GROUP BY oid) d USING (oid)
ORDER BY d.depth
"""
_GRANTS: Final = """
SELECT a.privilege_type, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
       a.is_grantable
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = ? AND a.grantee <> c.relowner
"""
_INDEXES: Final = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = ?"


@dataclass(frozen=True)
class View:
    """What makes a view again."""

    name: str
    kind: str
    statements: tuple[str, ...]


@contextmanager
def without_views(session: Session, table: str) -> Iterator[list[str]]:
    """Inside a transaction: the table has no view on it meanwhile. Gives their names."""
    found = list(_views(session, table))
    for view in reversed(found):
        session.execute(f"DROP {view.kind} {view.name}")
    yield [view.name for view in found]
    for view in found:
        for statement in view.statements:
            session.execute(statement)


def _views(session: Session, table: str) -> Iterator[View]:
    for oid, name, is_stored, query, owner, options, comment in session.rows(_DEPENDENT, (table,)):
        kind = "MATERIALIZED VIEW" if is_stored else "VIEW"
        told = f" WITH ({options})" if options else ""
        statements = [
            f"CREATE {kind} {name}{told} AS {query.rstrip().rstrip(';')}",
            f"ALTER {kind} {name} OWNER TO {owner}",
        ]
        for privilege, grantee, may_grant in session.rows(_GRANTS, (oid,)):
            option = " WITH GRANT OPTION" if may_grant else ""
            statements.append(f"GRANT {privilege} ON {name} TO {grantee}{option}")
        if comment:
            quoted = comment.replace("'", "''")
            statements.append(f"COMMENT ON {kind} {name} IS '{quoted}'")
        statements += [row[0] for row in session.rows(_INDEXES, (oid,))]
        yield View(name, kind, tuple(statements))
