"""SalesPro on Athena. Reported of others: pyathena-dev/PyAthena#554, sodadata/soda-core#2850 (times with
a zone), grafana/athena-datasource#320 (throttled while a result is read)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from ingestion.sync.common.errors import CredentialsError, Throttled
from tests.cases.lake import Lake
from tests.truth.sandboxed import verified
from tests.truth.world import World

CUSTOMER = ("customer_id", "company_id", "created_at", "updated_at")
AT = "2026-01-01 10:00:00"


def moment(value: datetime) -> datetime:
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def test_a_row_that_reaches_the_lake_late_is_read(world: World, httpserver: HTTPServer) -> None:
    lake = Lake({"customer": (CUSTOMER, [("c1", "a", AT, AT)])})
    lake.begin(world, httpserver)
    world.sync("customers")
    lake.tables["customer"][1].append(("c2", "b", AT, "2026-01-01 09:50:00"))
    world.sync("customers")
    assert world.rows("customers", "customer_id") == ["c1", "c2"]


def test_times_that_name_their_zone_are_these_moments(world: World, httpserver: HTTPServer) -> None:
    sent = {
        "2026-01-01 10:00:00.000 UTC": datetime(2026, 1, 1, 10, tzinfo=UTC),
        "2026-01-01 10:00:00.000 America/New_York": datetime(2026, 1, 1, 15, tzinfo=UTC),
        "2026-01-01 10:00:00.000 +05:30": datetime(2026, 1, 1, 4, 30, tzinfo=UTC),
        "2026-01-01 10:00:00.123456789": datetime(2026, 1, 1, 18, 0, 0, 123456, tzinfo=UTC),
        "2026-01-01 10:00:00.000 Moon/Sea": None,
    }
    rows = [(text, "a", text, AT) for text in sent]
    lake = Lake({"customer": (CUSTOMER, [*rows])})
    lake.begin(world, httpserver, SALESPRO_TIME_ZONE="America/Los_Angeles")
    world.sync("customers")
    found = dict(world.rows("customers", "customer_id", "created_at"))
    assert {text: at and moment(at) for text, at in found.items()} == sent
    assert verified(world, "customers").is_equal


def test_a_lake_of_times_with_zones_has_a_watermark(world: World, httpserver: HTTPServer) -> None:
    lake = Lake({"customer": (CUSTOMER, [("c1", "a", f"{AT}.000 UTC", f"{AT}.000 UTC")])})
    lake.begin(world, httpserver)
    world.sync("customers")
    world.sync("customers")
    assert "updated_at >= timestamp '2025-12-31 10:00:00'" in lake.queries[-1]


def test_no_value_is_none_and_an_object_of_prestos_form_is_kept(
    world: World, httpserver: HTTPServer
) -> None:
    columns = ("estimate_id", "lead_results", "created_at", "updated_at")
    rows = [
        ("e1", '[{"a":1}]', AT, AT),
        ("e2", "[{status=Sold, rep=null}]", AT, AT),
        ("e3", "", None, AT),
        ("e4", None, "", AT),
        ("e5", '{"iccid": 89014103211118510720}', AT, AT),
    ]
    Lake({"lead_results": (columns, [*rows])}).begin(world, httpserver)
    world.sync("leads")
    found = world.rows("leads", "estimate_id", "lead_results", "_misfits")
    kept = {"lead_results": {"reason": "not_json", "value": "[{status=Sold, rep=null}]"}}
    assert [row for row in found if row[0] != "e5"] == [
        ("e1", [{"a": 1}], None),
        ("e2", None, kept),
        ("e3", None, None),
        ("e4", None, None),
    ]
    assert "89014103211118510720" in str(found)
    created = [key for key, at in world.rows("leads", "estimate_id", "created_at") if at is None]
    assert created == ["e3", "e4"]
    assert verified(world, "leads").is_equal


def test_numbers_keep_their_digits_and_what_is_none_is_kept_beside(
    world: World, httpserver: HTTPServer
) -> None:
    columns = (
        *("estimate_id", "customer_id", "sale_amount", "finance_amount", "document_count"),
        *("is_sale", "created_at", "updated_at"),
    )
    rows = [
        ("1", "c", "1234567890123456.78", "1.0E7", "3.0", "true", AT, AT),
        ("2", "c", "NaN", "Infinity", "3.5", "true", AT, AT),
        ("", "no key", "1", "1", "1", "true", AT, AT),
    ]
    Lake({"estimate": (columns, [*rows])}).begin(world, httpserver)
    warning = world.sync("jobs").warning or ""
    assert "1 records have no key" in warning
    names = ("estimate_id", "sale_amount", "finance_amount", "document_count")
    assert world.rows("jobs", *names) == [
        ("1", Decimal("1234567890123456.78"), Decimal(10_000_000), 3),
        ("2", None, None, None),
    ]
    misfits = dict(world.rows("jobs", "estimate_id", "_misfits"))
    assert misfits["1"] is None
    assert {name: kept["value"] for name, kept in misfits["2"].items()} == {
        "sale_amount": "NaN",
        "finance_amount": "Infinity",
        "document_count": "3.5",
    }
    report = verified(world, "jobs")
    assert (report.different, report.wrong_values, report.examples) == (0, 0, [])


def test_of_a_key_that_stands_several_times_the_last_change_counts(
    world: World, httpserver: HTTPServer
) -> None:
    rows = [(f"c{i:05d}", f"n{i}", AT, f"2026-01-01 10:{i // 60:02d}:00") for i in range(2500)]
    twice = [
        ("c00001", "newest", AT, "2026-03-01 10:00:00"),
        ("c00001", "older", AT, "2025-03-01 10:00:00"),
    ]
    Lake({"customer": (CUSTOMER, [*rows, *twice])}).begin(world, httpserver)
    world.sync("customers")
    found = dict(world.rows("customers", "customer_id", "company_id"))
    assert (len(found), found["c00001"], found["c02499"]) == (2500, "newest", "n2499")


def refusing(operation: str, code: str, status: int, times: int) -> Any:
    left = [times]

    def instead(asked: str) -> Response | None:
        if asked != operation or not left[0]:
            return None
        left[0] -= 1
        return Response(json.dumps({"__type": code, "Message": "words"}), status)

    return instead


@pytest.mark.parametrize(
    ("operation", "code", "status"),
    [
        ("GetQueryResults", "ThrottlingException", 400),
        ("StartQueryExecution", "InternalServerException", 500),
    ],
)
def test_what_passes_is_tried_again(
    world: World, httpserver: HTTPServer, operation: str, code: str, status: int
) -> None:
    lake = Lake({"customer": (CUSTOMER, [("c1", "a", AT, AT)])})
    lake.instead = refusing(operation, code, status, times=2)
    lake.begin(world, httpserver)
    world.sync("customers")
    assert world.rows("customers", "customer_id") == ["c1"]


@pytest.mark.parametrize(
    ("operation", "code", "status", "kind"),
    [
        ("StartQueryExecution", "TooManyRequestsException", 400, Throttled),
        ("GetQueryResults", "ExpiredTokenException", 400, CredentialsError),
        ("StartQueryExecution", "InvalidSignatureException", 400, CredentialsError),
        ("StartQueryExecution", "UnrecognizedClientException", 400, CredentialsError),
        ("StartQueryExecution", "SignatureDoesNotMatch", 403, CredentialsError),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(
    world: World,
    httpserver: HTTPServer,
    operation: str,
    code: str,
    status: int,
    kind: type[Exception],
) -> None:
    lake = Lake({"customer": (CUSTOMER, [("c1", "a", AT, AT)])})
    lake.begin(world, httpserver)
    world.sync("customers")
    lake.instead = refusing(operation, code, status, times=10**6)
    with pytest.raises(kind, match=code):
        world.sync("customers")
    assert world.rows("customers", "customer_id") == ["c1"]
