"""Sources that a history changes between two requests: a list over REST, a table of a database, a
sheet, a SOAP domain."""

from __future__ import annotations

import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import sqlalchemy as sa
import werkzeug as wsgi
from pytest_httpserver import HTTPServer
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from werkzeug.test import create_environ

from ingestion.sync.http import client
from sandbox.base import SandboxConf
from sandbox.crms.five9.service import Five9Sandbox
from tests.truth.lists import DIALECTS, Dialect, ShiftingList
from tests.truth.sheets import Sheet
from tests.truth.world import World

KINDS = ("rest", "sql", "sheet", "soap")
CHANGES = (
    "a row comes",
    "a row goes",
    "a row moves",
    "a row is edited",
    "two with one cursor come",
    "one with an odd cursor comes",
)
ODD_CURSORS = (None, "", "0000-00-00T00:00:00", "9999-12-31T23:59:59+00:00", "soon")
EQUAL_TIME = "2026-01-05 10:00:00.000000"
ODD_TIMES = (None, "1970-01-01 00:00:00.000000", "9999-12-31 23:59:59.000000")
EQUAL_CURSOR = "2026-01-05T10:00:00+00:00"
ODD_NUMBERS = ("(615) 999-{:04d}", " 615{:04d}", "+44 20 {:04d}", "ext. {}", "{}x")

Meanwhile = Callable[[], None]


class Changing(ABC):
    """A source that is read into ``world`` as ``model``. ``meanwhile`` is to be called between two
    of its answers."""

    model: str

    def __init__(self, draw: random.Random, world: World) -> None:
        self.draw, self.world = draw, world
        self.made = 0

    @abstractmethod
    def change(self, kind: str) -> str | None:
        """Does one of CHANGES; the key of the row that is not steady any more, "" where all are;
        None where nothing could be done."""

    @abstractmethod
    def living(self) -> dict[str, str]:
        """What is there, by key: the content of each."""

    @abstractmethod
    def in_warehouse(self) -> dict[str, str]:
        """The same, as the warehouse has it."""

    @abstractmethod
    def marked(self) -> set[str]:
        """Keys of the rows that are marked as deleted."""

    @abstractmethod
    def close(self) -> None:
        """Stops what was started."""

    def next_text(self) -> str:
        self.made += 1
        return f"text {self.made}"


class RestSource(Changing):
    def __init__(
        self,
        draw: random.Random,
        world: World,
        server: HTTPServer,
        meanwhile: Meanwhile,
        dialects: Sequence[Dialect] = DIALECTS,
    ) -> None:
        super().__init__(draw, world)
        dialect = draw.choice(dialects)
        self.model = dialect.model
        count = draw.choice((0, 3, 19, 20, 21, 45, 70))
        self.list = ShiftingList(dialect, list(range(1, count + 1)))
        self.list.after_answer = lambda number: meanwhile()
        self.list.extra = {
            i: {"name": self.next_text(), "dateModified": EQUAL_CURSOR} for i in self.list.ids
        }
        self.next_id = count + 1
        self.list.begin(world, server)

    def change(self, kind: str) -> str | None:
        ids, draw = self.list.ids, self.draw
        if kind in ("a row comes", "two with one cursor come", "one with an odd cursor comes"):
            for _ in range(2 if kind.startswith("two") else 1):
                cursor = draw.choice(ODD_CURSORS) if "odd" in kind else EQUAL_CURSOR
                self.list.extra[self.next_id] = {"name": self.next_text(), "dateModified": cursor}
                ids.insert(draw.choice((0, len(ids), draw.randint(0, len(ids)))), self.next_id)
                self.next_id += 1
            return ""
        if not ids:
            return None
        if kind == "a row goes":
            return str(ids.pop(draw.randrange(len(ids))))
        row = ids[draw.randrange(len(ids))]
        if kind == "a row moves":
            ids.remove(row)
            ids.insert(draw.randint(0, len(ids)), row)
        else:
            self.list.extra[row]["name"] = self.next_text()
        return ""

    def living(self) -> dict[str, str]:
        return {str(i): self.list.extra[i]["name"] for i in self.list.ids}

    def in_warehouse(self) -> dict[str, str]:
        if not self._has_table():
            return {}
        rows = self.world.rows(self.model, "id", "name")
        return {self._number(key): name for key, name in rows}

    def marked(self) -> set[str]:
        if not self._has_table():
            return set()
        return {self._number(key) for key in self.world.rows(self.model, "id", deleted=True)}

    def close(self) -> None: ...

    def _has_table(self) -> bool:
        return bool(self.world.rows(self.model, "_run_id", deleted=None))

    @staticmethod
    def _number(key: Any) -> str:
        return str(int(str(key).lstrip("C")))


class SheetSource(Changing):
    model = "spends"

    def __init__(
        self, draw: random.Random, world: World, server: HTTPServer, meanwhile: Meanwhile
    ) -> None:
        super().__init__(draw, world)
        self.sheet = Sheet([["Date", "Channel", "Campaign"]])
        for _ in range(draw.choice((1, 15, 40, 70))):
            self.sheet.rows.append(self._row())
        self.sheet.before_range = lambda first: meanwhile()
        world.use("gsheet", self.sheet.settings(server))

    def change(self, kind: str) -> str | None:
        rows, draw = self.sheet.rows, self.draw
        if kind in ("a row comes", "two with one cursor come", "one with an odd cursor comes"):
            for _ in range(2 if kind.startswith("two") else 1):
                row = self._row()
                row[0] = draw.choice(("", "soon", "0/0/0")) if "odd" in kind else row[0]
                rows.insert(draw.randint(1, len(rows)), row)
            self.sheet.grid_rows = max(self.sheet.grid_rows, len(rows))
            return ""
        if len(rows) < 2:
            return None
        row = rows[draw.randrange(1, len(rows))]
        if kind == "a row is edited":
            row[2] = self.next_text()
            return str(row[1])
        rows.remove(row)
        if kind == "a row moves":
            rows.insert(draw.randint(1, len(rows)), row)
            return ""
        return str(row[1])

    def living(self) -> dict[str, str]:
        return {row[1]: row[2] for row in self.sheet.rows[1:]}

    def in_warehouse(self) -> dict[str, str]:
        return dict(self.world.rows(self.model, "channel", "campaign"))

    def marked(self) -> set[str]:
        return set(self.world.rows(self.model, "channel", deleted=True))

    def close(self) -> None: ...

    def _row(self) -> list[Any]:
        text = self.next_text()
        return ["1/1/2026", f"channel {self.made}", text]


class SqlSource(Changing):
    """Genius, as an SQLite file."""

    model = "job_change_order_items"

    def __init__(
        self, draw: random.Random, world: World, folder: Path, meanwhile: Meanwhile
    ) -> None:
        super().__init__(draw, world)
        self._path, self._meanwhile = str(folder / "genius.sqlite3"), meanwhile
        self.database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute(
            "CREATE TABLE job_change_order_item (id INTEGER PRIMARY KEY, change_order_id INTEGER,"
            " description TEXT, amount NUMERIC(10, 2), created_at DATETIME, updated_at DATETIME)"
        )
        for _ in range(draw.choice((0, 19, 45, 70))):
            self._add(EQUAL_TIME)
        world.use("genius", {"GENIUS_DATABASE_URL": f"sqlite:///{self._path}"})
        sa.event.listen(sa.Engine, "after_cursor_execute", self._after_query)

    def change(self, kind: str) -> str | None:
        if kind in ("a row comes", "two with one cursor come", "one with an odd cursor comes"):
            for _ in range(2 if kind.startswith("two") else 1):
                self._add(self.draw.choice(ODD_TIMES) if "odd" in kind else EQUAL_TIME)
            return ""
        keys = sorted(self.living(), key=int)
        if not keys:
            return None
        key = self.draw.choice(keys)
        if kind == "a row goes":
            self.database.execute("DELETE FROM job_change_order_item WHERE id = ?", (key,))
            return key
        text = self.next_text() if kind == "a row is edited" else None
        self.database.execute(
            "UPDATE job_change_order_item SET description = coalesce(?, description),"
            " updated_at = ? WHERE id = ?",
            (text, self.draw.choice((EQUAL_TIME, *ODD_TIMES)), key),
        )
        return ""

    def living(self) -> dict[str, str]:
        rows = self.database.execute("SELECT id, description FROM job_change_order_item")
        return {str(key): text for key, text in rows}

    def in_warehouse(self) -> dict[str, str]:
        return {str(key): text for key, text in self.world.rows(self.model, "id", "description")}

    def marked(self) -> set[str]:
        return set(map(str, self.world.rows(self.model, "id", deleted=True)))

    def close(self) -> None:
        sa.event.remove(sa.Engine, "after_cursor_execute", self._after_query)
        self.database.close()

    def _after_query(self, connection: sa.Connection, *_: Any) -> None:
        if connection.engine.url.database == self._path:
            self._meanwhile()

    def _add(self, time: str | None) -> None:
        self.database.execute(
            "INSERT INTO job_change_order_item (description, created_at, updated_at)"
            " VALUES (?, ?, ?)",
            (self.next_text(), EQUAL_TIME, time),
        )


class InProcess(BaseAdapter):
    """Hands requests to a WSGI application, and everything else stays as it is."""

    def __init__(self, app: Any) -> None:
        super().__init__()
        self.app = app

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        environ = create_environ(
            urlsplit(str(request.url)).path,
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=request.body,
        )
        answer = wsgi.Response.from_app(self.app, environ, buffered=True)
        found = Response()
        found.status_code, found.request, found.url = answer.status_code, request, str(request.url)
        found.headers.update(answer.headers)
        found._content = answer.get_data()
        return found

    def close(self) -> None: ...


class SoapSource(Changing):
    model = "contacts"
    LIMIT = 30

    def __init__(
        self, draw: random.Random, world: World, folder: Path, meanwhile: Meanwhile
    ) -> None:
        super().__init__(draw, world)
        self.sandbox = sandbox = Five9Sandbox(SandboxConf(folder, rows=10))
        self.contacts = sandbox.domain.contacts
        # A run asks hundreds of times: over a network most of the time would be that of sockets.
        adapter = partial(InProcess, sandbox.wsgi())
        self._patched = patch.object(client, "StoppableAdapter", adapter)
        self._patched.start()
        self.contacts.clear()
        self.prefixes = draw.choice((("615555",), "23456", "23456"))
        sandbox.behavior.record_limit = self.LIMIT
        for _ in range(draw.choice((10, 27, 40))):
            self._add(odd=draw.random() < 0.1)
        records = sandbox._records

        def with_changes(lookup: Any) -> Any:
            found = records(lookup)
            # Where one lookup does not give all there are many in a run.
            if draw.random() < 0.1 or len(self.contacts) < self.LIMIT:
                meanwhile()
            return found

        sandbox._records = with_changes  # type: ignore[method-assign]
        settings = sandbox.settings("http://five9.invalid")
        world.use("five9", {**settings, "FIVE9_RECORD_LIMIT": str(self.LIMIT)})

    def change(self, kind: str) -> str | None:
        if kind in ("a row comes", "two with one cursor come", "one with an odd cursor comes"):
            for _ in range(2 if kind.startswith("two") else 1):
                self._add(odd="odd" in kind)
            return ""
        if not self.contacts:
            return None
        key = self.draw.choice(sorted(self.contacts))
        if kind == "a row goes":
            del self.contacts[key]
            return key
        values = self.contacts[key].values
        if kind == "a row is edited":
            values["first_name"] = self.next_text()
            return ""
        values["number1"] = self._number(odd=False)
        return ""

    def living(self) -> dict[str, str]:
        return {key: contact.values["first_name"] or "" for key, contact in self.contacts.items()}

    def in_warehouse(self) -> dict[str, str]:
        return dict(self.world.rows(self.model, "contact_key", "first_name"))

    def marked(self) -> set[str]:
        return set(self.world.rows(self.model, "contact_key", deleted=True))

    def close(self) -> None:
        self._patched.stop()

    def _add(self, *, odd: bool) -> None:
        number = None if odd and self.draw.random() < 0.2 else self._number(odd=odd)
        self.sandbox.domain.add({"number1": number, "first_name": self.next_text()})

    def _number(self, *, odd: bool) -> str:
        drawn = self.draw.randrange(10_000)
        if odd:
            return self.draw.choice(ODD_NUMBERS).format(drawn)
        return f"{self.draw.choice(self.prefixes)}{drawn:04d}"


def changing_source(
    kind: str,
    draw: random.Random,
    world: World,
    server: HTTPServer,
    folder: Path,
    meanwhile: Meanwhile,
) -> Changing:
    """``kind``: one of KINDS, or ``rest`` with the name of a dialect after it."""
    if kind.startswith("rest"):
        named = [dialect for dialect in DIALECTS if kind.endswith(f" {dialect.name}")]
        return RestSource(draw, world, server, meanwhile, named or DIALECTS)
    if kind == "sheet":
        return SheetSource(draw, world, server, meanwhile)
    if kind == "sql":
        return SqlSource(draw, world, folder, meanwhile)
    return SoapSource(draw, world, folder, meanwhile)
