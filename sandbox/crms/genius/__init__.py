"""Genius' sandbox: a SQL database with its 28 tables, in one SQLite file by default.

Entry points: ``GeniusSandbox``, ``schema`` (the tables).
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from random import Random

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SAWarning
from sqlalchemy.pool import NullPool

from sandbox.base import Sandbox, SandboxConf
from sandbox.crms.genius import schema
from sandbox.crms.genius.changes import Change, insert
from sandbox.crms.genius.company import Sizes, add_company
from sandbox.crms.genius.draft import Draft
from sandbox.crms.genius.family import Family
from sandbox.crms.genius.faults import GeniusFaults

OPENED = datetime(2024, 1, 1, 8, 0, 0)  # noqa: DTZ001 - naive server time, as the source has it
YEARS_OF_BUSINESS = timedelta(days=500)
DRAFT_ROWS = 20_000

# Which data is in the database; the syncs never read these two.
_own = MetaData()
_made = Table("sandbox_made", _own, Column("seed", Integer), Column("rows_asked", Integer))
_ticks = Table(
    "sandbox_tick",
    _own,
    Column("at", String(40), primary_key=True),
    *(Column(name, Integer) for name in ("created", "updated", "deleted")),
)

# SQLite keeps DECIMAL as a float; amounts below 10^12 with two digits come back exact.
warnings.filterwarnings("ignore", "Dialect sqlite.pysqlite does .not. support Decimal", SAWarning)


class GeniusSandbox(Sandbox):
    """``rows``: prospects. ``url`` is any SQLAlchemy URL of a database of its own; its tables are
    dropped where they hold other data than ``conf`` wants."""

    name = "genius"
    own_faults = GeniusFaults.NAMES

    def __init__(self, conf: SandboxConf, *, url: str | None = None) -> None:
        super().__init__(conf)
        self._engine = _engine(url or f"sqlite:///{conf.data_dir / 'genius.sqlite3'}")
        self._sizes = Sizes(conf.rows)
        self._faults = GeniusFaults(self._engine)
        if not self._is_made():
            self._make()

    def settings(self, base_url: str) -> dict[str, str]:
        return {"GENIUS_DATABASE_URL": self._engine.url.render_as_string(hide_password=False)}

    def counts(self) -> dict[str, int]:
        with self._faults.lifted(), self._engine.connect() as connection:
            return {
                model: connection.scalar(select(func.count()).select_from(schema.TABLES[table]))
                or 0
                for model, table in schema.MODEL_TABLES.items()
            }

    def tick(self, at: datetime) -> dict[str, int]:
        """A tick that the database already has changes nothing, and returns the same counts."""
        with self._faults.lifted(), self._engine.begin() as connection:
            done = connection.execute(select(_ticks).where(_ticks.c.at == at.isoformat())).first()
            if done is not None:
                return {"created": done.created, "updated": done.updated, "deleted": done.deleted}
            rng = Random(f"{self.conf.seed}:{at.isoformat()}")
            counts = Change(connection, rng, self._sizes, _server_time(at)).apply()
            connection.execute(_ticks.insert().values(at=at.isoformat(), **counts))
        return counts

    def set_faults(self, faults: frozenset[str]) -> None:
        self._faults.set(faults)

    def _is_made(self) -> bool:
        if not inspect(self._engine).has_table(_made.name):
            return False
        with self._engine.connect() as connection:
            made = connection.execute(select(_made)).first()
        return made is not None and tuple(made) == (self.conf.seed, self.conf.rows)

    def _make(self) -> None:
        for metadata in (schema.metadata, _own):
            metadata.drop_all(self._engine)
            metadata.create_all(self._engine)
        with self._engine.begin() as connection:
            self._fill(connection)
            # Comes last: a database whose filling was interrupted is filled again.
            connection.execute(
                _made.insert().values(seed=self.conf.seed, rows_asked=self.conf.rows)
            )

    def _fill(self, connection: Connection) -> None:
        draft = Draft()
        add_company(draft, Random(f"{self.conf.seed}:company"), self._sizes)
        for number in range(self.conf.rows):
            at = OPENED + YEARS_OF_BUSINESS * number / self.conf.rows
            rng = Random(f"{self.conf.seed}:family:{number}")
            Family(draft, rng, self._sizes, at.replace(microsecond=0)).add()
            if len(draft) > DRAFT_ROWS:
                insert(connection, draft.take())
        insert(connection, draft.take())


SANDBOX = GeniusSandbox


def _server_time(at: datetime) -> datetime:
    """Naive, in whole seconds: the sandbox's server runs in UTC."""
    return at.astimezone(UTC).replace(tzinfo=None, microsecond=0)


def _engine(url: str) -> Engine:
    engine = create_engine(url, poolclass=NullPool)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _use_wal)
    return engine


def _use_wal(connection: object, _record: object) -> None:
    """Lets others read while a tick writes."""
    cursor = connection.cursor()  # type: ignore[attr-defined]
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.close()
