"""What readers of the warehouse see while a full run rewrites a table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from tests.crms.world import World

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]

ENOUGH_LOOKS = 20


class Look(NamedTuple):
    """The rows of a table at one moment."""

    rows: int
    keys: int
    live: int


@dataclass
class Reader:
    """Looks at a table again and again, with a connection of its own, until it is told to stop."""

    url: str
    crm: str
    model: Model
    looks: list[Look] = field(default_factory=list)
    problem: BaseException | None = None
    _is_done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def looking(self) -> Iterator[None]:
        """The body begins after the first look."""
        thread = threading.Thread(target=self._look_on)
        first = self.look()
        thread.start()
        try:
            yield
        finally:
            self._is_done.set()
            thread.join()
        self.looks = [first, *self.looks, self.look()]
        if self.problem:
            raise self.problem

    def look(self) -> Look:
        with closing(Warehouse(self.url)) as warehouse:
            return self._look(warehouse)

    def _look_on(self) -> None:
        try:
            with closing(Warehouse(self.url)) as warehouse:
                while not self._is_done.is_set():
                    self.looks.append(self._look(warehouse))
        except BaseException as problem:
            self.problem = problem

    def _look(self, warehouse: Warehouse) -> Look:
        dataset = warehouse.dataset(self.crm)
        key = sa.column(self.model.key[0])
        table = sa.table(self.model.name, key, sa.column("_deleted_at"), schema=dataset.schema)
        counts = sa.select(
            sa.func.count(),
            sa.func.count(sa.distinct(key)),
            sa.func.sum(sa.case((table.c["_deleted_at"].is_(None), 1), else_=0)),
        ).select_from(table)
        with dataset.engine.connect() as connection:
            return Look(*(int(count) for count in connection.execute(counts).one()))


@pytest.mark.parametrize("rows", [400])
@pytest.mark.parametrize(
    ("crm", "name"),
    [
        ("hubspot", "contacts"),
        ("genius", "appointments"),
        ("callrail", "calls"),
        ("arrivy", "tasks"),
        ("gsheet", "leads"),
    ],
)
def test_a_full_run_shows_no_empty_half_or_doubled_table(world: World, name: str) -> None:
    """``force`` rewrites every row, so that the load takes as long as it can."""
    world.run(name)
    before = Reader(world.warehouse_url, world.crm.name, world.crm.model(name)).look()
    world.tick()
    reader = Reader(world.warehouse_url, world.crm.name, world.crm.model(name))

    with reader.looking():
        result = world.run(name, full=True, force=True)
        while len(reader.looks) < ENOUGH_LOOKS and not reader.problem:
            world.run(name, full=True, force=True)

    after = reader.looks[-1]
    assert result.total("updated") >= before.live - result.total("deleted")
    assert all(look.rows == look.keys for look in reader.looks)
    assert all(before.rows <= look.rows <= after.rows for look in reader.looks)
    assert min(look.live for look in reader.looks) >= before.live - result.total("deleted")
    assert max(look.live for look in reader.looks) <= before.live + result.total("created")
    assert_equal(world, name)


def assert_equal(world: World, model: str) -> None:
    (report,) = world.differences(model)
    assert report.is_equal, report.to_dict()
