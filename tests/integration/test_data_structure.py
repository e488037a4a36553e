"""What tools find at a table after it was loaded, what the last runs did, and dbt's sources."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ingestion.models import FreshnessBound
from ingestion.services.data import profiles
from ingestion.services.data.changes import changes
from ingestion.services.data.figures import stored_figures
from ingestion.services.data.sources import sources_yml
from ingestion.sync.common.locks import Waiting, local_lock
from ingestion.sync.common.warehouse import Warehouse
from tests.data_world import CUSTOMERS, load, load_customers
from tests.integration.conftest import ON_POSTGRES
from tests.unit.people import forget_answers

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("warehouse_settings", ["sqlite", ON_POSTGRES], indirect=True),
]


@pytest.fixture(autouse=True)
def loaded(warehouse_settings: Any) -> Any:
    forget_answers()
    load_customers()
    profiles.refresh(seconds=60)
    return warehouse_settings


def query(settings: Any, statement: str) -> list[tuple[Any, ...]]:
    """As somebody with a database client would."""
    with (
        closing(Warehouse(settings.INGESTION_WAREHOUSE_URL)) as warehouse,
        warehouse.dataset("arrivy").engine.begin() as connection,
    ):
        result = connection.exec_driver_sql(statement)
        return [tuple(row) for row in result] if result.returns_rows else []


def is_sqlite(settings: Any) -> bool:
    return bool(settings.INGESTION_WAREHOUSE_URL.startswith("sqlite"))


def view(settings: Any) -> str:
    return "customers_current" if is_sqlite(settings) else "arrivy_views.customers_current"


class TestTables:
    def test_a_view_has_the_rows_that_are_there(self, loaded: Any) -> None:
        load_customers(CUSTOMERS[:2])
        assert query(loaded, f"SELECT id FROM {view(loaded)} ORDER BY id") == [(1,), (2,)]

    def test_the_view_follows_new_columns_and_types(self, loaded: Any) -> None:
        changed = [{**CUSTOMERS[0], "visits": "2.5", "shoe_size": 41}]
        load_customers(changed)
        profiles.refresh(seconds=60)
        ((size,),) = query(loaded, f"SELECT shoe_size FROM {view(loaded)}")
        assert size == 41

    def test_the_deleted_ones_have_an_index(self, loaded: Any) -> None:
        with closing(Warehouse(loaded.INGESTION_WAREHOUSE_URL)) as warehouse:
            dataset = warehouse.dataset("arrivy")
            found = sa.inspect(dataset.engine).get_indexes("customers", schema=dataset.schema)
        assert ["_deleted_at"] in [one["column_names"] for one in found]

    def test_nothing_is_made_twice_and_loads_go_on(self, loaded: Any) -> None:
        load_customers(CUSTOMERS[:2])
        profiles.refresh(seconds=60)
        result = load_customers()
        assert (result.created, result.updated, result.deleted) == (0, 1, 0)

    def test_a_model_that_is_being_loaded_waits_for_the_next_round(self, loaded: Any) -> None:
        if not is_sqlite(loaded):
            pytest.skip("PostgreSQL has a lock of its own")
        load_customers(CUSTOMERS[:1])
        waiting = Waiting("arrivy.customers", 0, lambda: None)
        with local_lock(waiting, Path(loaded.INGESTION_WAREHOUSE_PIPELINES_DIR) / "locks"):
            assert profiles.refresh(seconds=60) == []
        assert len(profiles.refresh(seconds=60)) == 1
        assert stored_figures()["arrivy", "customers"].deleted_rows == 2

    def test_postgres_has_keys_and_comments(self, loaded: Any) -> None:
        if is_sqlite(loaded):
            pytest.skip("SQLite has neither for a table that is there")
        with closing(Warehouse(loaded.INGESTION_WAREHOUSE_URL)) as warehouse:
            there = sa.inspect(warehouse.main_engine)
            assert there.get_pk_constraint("customers", "arrivy")["constrained_columns"] == ["id"]
            columns = {c["name"]: c["comment"] for c in there.get_columns("customers", "arrivy")}
            about = there.get_table_comment("customers", "arrivy")["text"]
        assert columns["email"] == "Field email of Arrivy"
        assert columns["_synced_at"] == "When the row was last written"
        assert about == "customers of Arrivy. no filter by change"

    def test_what_a_person_wrote_stays(self, loaded: Any) -> None:
        if is_sqlite(loaded):
            pytest.skip("SQLite has no comments")
        query(loaded, "COMMENT ON COLUMN arrivy.customers.city IS 'ours'")
        query(loaded, "CREATE VIEW public.mine AS SELECT id FROM arrivy_views.customers_current")
        query(loaded, "GRANT SELECT ON arrivy_views.customers_current TO PUBLIC")
        load_customers([{**CUSTOMERS[0], "visits": "2.5"}])
        profiles.refresh(seconds=60)
        assert query(loaded, "SELECT id FROM public.mine") == [(1,)]
        comment = "SELECT col_description('arrivy.customers'::regclass, attnum) FROM pg_attribute"
        where = "WHERE attrelid = 'arrivy.customers'::regclass AND attname = 'city'"
        assert query(loaded, f"{comment} {where}") == [("ours",)]


class TestChanges:
    def test_the_last_runs_with_examples(self, loaded: Any) -> None:
        load_customers([{**CUSTOMERS[0], "visits": 4}, CUSTOMERS[1]])
        last, first = changes("arrivy", "customers", personal=False)
        assert [last[name] for name in ("created", "updated", "deleted")] == [0, 1, 1]
        assert [first[name] for name in ("created", "updated", "deleted")] == [3, 0, 0]
        seen = {e["values"]["id"]: e["is_deleted"] for e in last["examples"]}
        assert seen == {1: False, 3: True}
        assert [e["values"]["id"] for e in first["examples"]] == [2]
        assert "email" not in str(last["examples"])

    def test_a_run_that_changed_nothing_is_left_out(self) -> None:
        load_customers()
        assert len(changes("arrivy", "customers", personal=True)) == 1


def test_sources_name_what_was_loaded_and_how_fresh_it_must_be(
    loaded: Any,
) -> None:
    load("arrivy", "teams", [{"id": 1, "name": "Blue"}])
    FreshnessBound.objects.create(crm_source="arrivy", model="customers", seconds=3600)
    (source,) = json.loads(sources_yml())["sources"]
    assert (source["name"], source["schema"]) == ("arrivy", "arrivy")
    tables = {table["name"]: table for table in source["tables"]}
    assert tables["customers"]["config"]["freshness"] == {
        "warn_after": {"count": 60, "period": "minute"},
        "error_after": {"count": 120, "period": "minute"},
    }
    assert tables["teams"]["config"]["freshness"] is None
    assert tables["customers"]["columns"][0]["data_tests"] == ["unique", "not_null"]
