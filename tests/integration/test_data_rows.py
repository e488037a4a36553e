"""Rows of the warehouse for people: filtered, sorted, page by page, and masked."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ingestion.services.data import profiles, rows
from ingestion.services.data.catalog import catalog, dataset
from ingestion.services.data.errors import InvalidQuestion, MaskedColumn, UnknownDataset
from ingestion.services.data.figures import stored_figures
from ingestion.services.data.masking import Mask, masks
from ingestion.services.data.rows import Filter, Question
from ingestion.services.infra.cursor import InvalidCursor
from tests.data_world import CUSTOMERS, SECRETS, load, load_customers
from tests.integration.conftest import READ_BY_PAGES
from tests.unit.people import forget_answers

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.parametrize("warehouse_settings", READ_BY_PAGES, indirect=True),
]

ARRIVY = Question("arrivy", "customers")
PERSONAL = {"email", "phone", "first_name", "last_name", "address_line_1", "extra", "_row_hash"}


@pytest.fixture(autouse=True)
def warehouse(warehouse_settings: Any) -> Any:
    forget_answers()
    return warehouse_settings


def ids(question: Question) -> list[Any]:
    return [row["id"] for row in rows.rows(question).rows]


def ask(**changes: Any) -> Question:
    filters = tuple(Filter(*one) for one in changes.pop("filters", ()))
    return Question("arrivy", "customers", filters=filters, **changes)


class TestMasks:
    def test_personal_columns_are_empty_and_named(self) -> None:
        load_customers()
        found = rows.rows(ARRIVY)
        assert found.masked["access_token"] == "secret"
        assert {name for name in PERSONAL if found.masked.get(name) == "personal"} == PERSONAL
        assert not {"id", "city", "visits", "_synced_at"} & set(found.masked)
        assert {
            name for row in found.rows for name in found.masked if row[name] is not None
        } == set()
        assert not any(secret in json.dumps(found.to_dict()) for secret in SECRETS)
        assert [row["city"] for row in found.rows] == ["London", "New York", "London"]

    def test_the_right_shows_all_but_secrets(self) -> None:
        load_customers()
        found = rows.rows(ask(personal=True))
        assert found.masked == {"access_token": "secret"}
        assert found.rows[0]["email"] == "ada@example.com"
        assert found.rows[0]["extra"] == '{"mail": "ada@example.com"}'
        assert "tok-ada" not in json.dumps(found.to_dict())

    @pytest.mark.parametrize("personal", [False, True])
    def test_what_is_masked_answers_no_question(self, personal: bool) -> None:
        load_customers()
        column = "access_token" if personal else "email"
        for operator, value in (("contains", "a"), ("eq", "ada@example.com"), ("filled", "")):
            with pytest.raises(MaskedColumn):
                rows.rows(ask(filters=[(column, operator, value)], personal=personal))
        with pytest.raises(MaskedColumn):
            rows.rows(ask(sort=column, personal=personal))

    def test_operators_decide_against_the_names(self, warehouse: Any) -> None:
        load_customers()
        warehouse.INGESTION_DATA_MASKED_COLUMNS = ["arrivy.*.city"]
        warehouse.INGESTION_DATA_OPEN_COLUMNS = ["*.customers.phone"]
        found = rows.rows(ARRIVY)
        assert found.masked["city"] == "personal"
        assert "phone" not in found.masked
        assert found.rows[0]["phone"] == "555-0101"

    def test_a_key_that_is_masked_stands_in_no_cursor(self, warehouse: Any) -> None:
        warehouse.INGESTION_DATA_MASKED_COLUMNS = ["arrivy.customers.id"]
        load_customers()
        found = rows.rows(ask(limit=2))
        assert (len(found.rows), found.has_more, found.next_cursor) == (2, True, None)

    @pytest.mark.parametrize("sort", ["", "city"])
    def test_a_cursor_written_by_hand_finds_no_masked_key(self, warehouse: Any, sort: str) -> None:
        """Else how many rows follow tells whether the key is higher than a value."""
        warehouse.INGESTION_DATA_MASKED_COLUMNS = ["arrivy.customers.id"]
        load_customers()
        values = [f"{sort}:False", *(["London"] if sort else []), "1"]
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        with pytest.raises(MaskedColumn):
            rows.rows(ask(cursor=cursor, sort=sort))

    def test_rows_do_not_stand_in_the_order_of_a_masked_key(self, warehouse: Any) -> None:
        warehouse.INGESTION_DATA_MASKED_COLUMNS = ["arrivy.customers.id"]
        load_customers([{"id": 2, "city": "Second"}])
        load_customers([{"id": 2, "city": "Second"}, {"id": 1, "city": "First"}])
        assert [row["city"] for row in rows.rows(ARRIVY).rows] == ["Second", "First"]
        assert [row["city"] for row in rows.rows(ask(descending=True)).rows] == ["First", "Second"]

    @pytest.mark.parametrize(
        ("path", "kind"),
        [
            ("five9.contacts.sys_last_agent", "text"),
            ("marketsharp.addresses.line1", "text"),
            ("arrivy.tasks.title", "text"),
            ("hubspot.tickets.content", "text"),
            ("gsheet.leads.column_15", "text"),
            ("callrail.trackers.destination_number", "text"),
            ("genius.change_orders.reason", "text"),
            ("genius.contacts.birthday", "date"),
        ],
    )
    def test_personal_data_under_names_that_do_not_say_so(self, path: str, kind: str) -> None:
        crm_source, model, column = path.split(".")
        assert masks(crm_source, model, {column: kind}) == {column: Mask.PERSONAL}


class TestQuestions:
    @pytest.fixture(autouse=True)
    def loaded(self, warehouse: Any) -> None:
        load_customers()

    @pytest.mark.parametrize(
        ("filters", "expected"),
        [
            ([("id", "eq", "2")], [2]),
            ([("id", "ge", "2")], [2, 3]),
            ([("city", "contains", "ond")], [1, 3]),
            ([("city", "contains", "%")], []),
            ([("city", "ne", "London"), ("visits", "lt", "9")], [2]),
            ([("visits", "empty", "")], [3]),
            ([("visits", "filled", "")], [1, 2]),
        ],
    )
    def test_filters(self, filters: Any, expected: list[int]) -> None:
        assert ids(ask(filters=filters)) == expected

    @pytest.mark.parametrize(
        ("order", "expected"),
        [
            ({}, [1, 2, 3]),
            ({"descending": True}, [3, 2, 1]),
            ({"sort": "visits"}, [1, 2, 3]),
            ({"sort": "visits", "descending": True}, [2, 1, 3]),
            ({"sort": "city"}, [1, 3, 2]),
            ({"sort": "_synced_at"}, [1, 2, 3]),
        ],
    )
    def test_every_order_is_walked_row_by_row(self, order: Any, expected: list[int]) -> None:
        found, cursor = [], ""
        for _ in range(len(expected)):
            page = rows.rows(ask(limit=1, cursor=cursor, **order))
            found += [row["id"] for row in page.rows]
            cursor = page.next_cursor or ""
        assert (found, cursor) == (expected, "")

    def test_deleted_rows_are_shown_when_they_are_asked_for(self) -> None:
        load_customers(CUSTOMERS[:2])
        assert ids(ARRIVY) == [1, 2]
        assert ids(ask(deleted="yes")) == [3]
        assert ids(ask(deleted="all")) == [1, 2, 3]

    def test_what_makes_no_sense_is_refused(self) -> None:
        for filters in ([("nosuch", "eq", "1")], [("id", "like", "1")], [("id", "eq", "x")]):
            with pytest.raises(InvalidQuestion):
                rows.rows(ask(filters=filters))
        with pytest.raises(InvalidQuestion):
            rows.rows(ask(sort="extra", personal=True))
        for cursor in ("x", "WzFd", rows.rows(ask(limit=1, sort="city")).next_cursor):
            with pytest.raises(InvalidCursor):
                rows.rows(ask(cursor=cursor or ""))
        with pytest.raises(UnknownDataset):
            rows.rows(Question("arrivy", "nosuch"))
        with pytest.raises(UnknownDataset):
            rows.rows(Question("arrivy", "teams"))


class TestFigures:
    def test_what_was_loaded_is_counted_once(self) -> None:
        load_customers()
        load_customers(CUSTOMERS[:2])
        forget_answers()
        assert [d.model for d in profiles.refresh(seconds=60)] == ["customers"]
        assert profiles.refresh(seconds=60) == []
        (entry,) = (one for one in catalog("arrivy") if one["model"] == "customers")
        assert (entry["rows"], entry["deleted_rows"]) == (2, 1)
        assert entry["size_bytes"] > 0
        columns = {one["name"]: one for one in dataset("arrivy", "customers")["columns"]}
        assert (columns["city"]["filled"], columns["city"]["distinct"]) == (1.0, 2)
        assert (columns["address_line_1"]["filled"], columns["address_line_1"]["distinct"]) == (
            0.5,
            1,
        )
        assert columns["email"]["mask"] == "personal"
        assert (columns["id"]["is_key"], columns["city"]["field"]) == (True, "city")

    def test_another_load_is_counted_again(self) -> None:
        load_customers(CUSTOMERS[:1])
        profiles.refresh(seconds=60)
        load_customers()
        forget_answers()
        assert len(profiles.refresh(seconds=60)) == 1
        assert stored_figures()["arrivy", "customers"].rows == 3

    def test_many_rows_are_sampled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # PostgreSQL samples blocks, of which a table of this size has some fifty: a sample of a few
        # would now and then be one of none.
        monkeypatch.setattr(profiles, "SAMPLE_ROWS", 2_000)
        load("arrivy", "customers", [{"id": n, "city": f"c{n % 2}"} for n in range(5_000)])
        profiles.refresh(seconds=60)
        found = stored_figures()["arrivy", "customers"]
        assert found.rows == 5_000
        assert 0 < found.sampled_rows <= 2_000
        assert found.columns["city"] == {"filled": 1.0, "distinct": 2}
