"""A CRM whose fields change while the warehouse has rows of it: what comes is loaded, and the
run's row in SyncHistory tells what has changed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa

from ingestion.models import SyncHistory
from ingestion.sync.common.warehouse import Warehouse
from sandbox.crms.genius import GeniusSandbox
from sandbox.crms.gsheet import LEADS_ID, LEADS_TAB, GsheetSandbox
from sandbox.crms.salesrabbit import SalesRabbitSandbox
from tests.crms.world import World

pytestmark = [pytest.mark.crms, pytest.mark.django_db(transaction=True)]


class Change(NamedTuple):
    """``make`` changes the CRM; ``told`` are the sentences that the next full run keeps, in
    parts; ``columns`` are new columns of the table."""

    model: str
    make: Callable[[Any], None]
    told: tuple[str, ...]
    columns: tuple[str, ...] = ()


def rabbits_have_a_roof(sandbox: SalesRabbitSandbox) -> None:
    for lead in sandbox._leads.values():
        lead["roofType"] = "slate"


def rabbits_lose_their_street(sandbox: SalesRabbitSandbox) -> None:
    for lead in sandbox._leads.values():
        del lead["street2"], lead["street1"]


def rabbits_count_in_words(sandbox: SalesRabbitSandbox) -> None:
    for lead in sandbox._leads.values():
        lead |= {"latitude": "far north", "email": 7}


def sheets_have_other_headers(sandbox: GsheetSandbox) -> None:
    headers = list(sandbox._tabs[LEADS_ID, LEADS_TAB][0])
    headers[headers.index("division")] = "Region"
    sandbox._tabs[LEADS_ID, LEADS_TAB][0] = headers


def genius_has_a_score(sandbox: GeniusSandbox) -> None:
    _alter(sandbox, "ALTER TABLE lead ADD COLUMN score DECIMAL(8, 2)")
    _alter(sandbox, "UPDATE lead SET score = 7.25")


def genius_drops_a_column(sandbox: GeniusSandbox) -> None:
    _alter(sandbox, "ALTER TABLE lead DROP COLUMN source_notes")


def genius_retypes_a_column(sandbox: GeniusSandbox) -> None:
    _alter(sandbox, "ALTER TABLE lead DROP COLUMN source_notes")
    _alter(sandbox, "ALTER TABLE lead ADD COLUMN source_notes INTEGER")
    _alter(sandbox, "UPDATE lead SET source_notes = 12")


def _alter(sandbox: GeniusSandbox, statement: str) -> None:
    with sandbox._engine.begin() as connection:
        connection.execute(sa.text(statement))


CHANGES = {
    "salesrabbit new": Change(
        "leads", rabbits_have_a_roof, ("new column roof_type (text)",), ("roof_type",)
    ),
    "salesrabbit type": Change(
        "leads",
        rabbits_count_in_words,
        ("values of column latitude do not fit double",),
        ("_misfits",),
    ),
    "gsheet headers": Change(
        "leads",
        sheets_have_other_headers,
        ("new column region (text)", "no longer delivers column division"),
        ("region",),
    ),
    "genius new": Change("leads", genius_has_a_score, ("new column score (decimal)",), ("score",)),
    "genius vanished": Change(
        "leads", genius_drops_a_column, ("no longer delivers column source_notes",)
    ),
    "genius type": Change(
        "leads",
        genius_retypes_a_column,
        ("declares column source_notes as bigint, the table keeps text",),
    ),
}


@pytest.mark.parametrize(
    ("crm", "change"),
    [pytest.param(name.split()[0], change, id=name) for name, change in CHANGES.items()],
)
def test_a_changed_field_is_loaded_and_told(world: World, change: Change) -> None:
    world.run(change.model)
    rows = _table(world, change.model)
    change.make(world.sandbox)

    world.run(change.model, full=True)

    told = SyncHistory.objects.latest("pk").performance_metrics["models"][0]["schema_changes"]
    for part in change.told:
        assert any(part in sentence for sentence in told), told
    after = _table(world, change.model)
    assert {*rows.columns, *change.columns} == after.columns
    assert after.live == rows.live
    (report,) = world.differences(change.model)
    assert (report.missing, report.extra, report.different) == (0, 0, 0), report.to_dict()
    assert world.run(change.model).total("updated") == 0


class Table(NamedTuple):
    """What a warehouse has of a model."""

    columns: set[str]
    live: int


def _table(world: World, model: str) -> Table:
    with closing(Warehouse(world.warehouse_url)) as warehouse:
        dataset = warehouse.dataset(world.crm.name)
        assert dataset.has_table(model)
        table = sa.Table(model, sa.MetaData(), schema=dataset.schema, autoload_with=dataset.engine)
        live = sa.select(sa.func.count()).where(table.c["_deleted_at"].is_(None))
        with dataset.engine.connect() as connection:
            return Table(set(table.c.keys()), connection.execute(live).scalar_one())
