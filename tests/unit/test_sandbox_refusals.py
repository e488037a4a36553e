"""Input of a form that a CRM does not know is refused in that CRM's own way: never 500, and never 200
with other people's records."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.test import Client, TestResponse

from sandbox.base import SandboxConf
from sandbox.crms.marketsharp.query import BadQuery, filter_of, ordered
from sandbox.serving.registry import sandbox_classes

BASE = "http://localhost"
Settings = Mapping[str, str]


def asked(name: str, folder: Path) -> tuple[Any, Client, dict[str, str]]:
    """A sandbox, a client, and the settings that open it."""
    sandbox = sandbox_classes()[name](SandboxConf(folder, rows=24))
    return sandbox, Client(sandbox.wsgi()), sandbox.settings(BASE)


def headers(name: str, settings: Settings) -> dict[str, str]:
    """What lets a request in."""
    match name:
        case "arrivy":
            return {
                "X-Auth-Key": settings["ARRIVY_AUTH_KEY"],
                "X-Auth-Token": settings["ARRIVY_AUTH_TOKEN"],
            }
        case "callrail":
            return {"Authorization": f'Token token="{settings["CALLRAIL_API_KEY"]}"'}
        case "five9":
            return basic(settings["FIVE9_USERNAME"], settings["FIVE9_PASSWORD"])
        case "hubspot":
            return {"Authorization": f"Bearer {settings['HUBSPOT_ACCESS_TOKEN']}"}
        case "gsheet":
            return {"Authorization": "Bearer sandbox-gsheet-token"}
        case "leadconduit":
            return basic("API", settings["LEADCONDUIT_API_KEY"])
        case "marketsharp":
            return {"Authorization": signed(settings), "Accept": "application/json"}
        case "salespro":
            return {"Authorization": f"Bearer {settings['SALESPRO_API_TOKEN']}"}
    return {"Authorization": f"Bearer {settings['SALESRABBIT_API_TOKEN']}"}


def basic(user: str, password: str) -> dict[str, str]:
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


def signed(settings: Settings) -> str:
    company, user = settings["MARKETSHARP_COMPANY_ID"], settings["MARKETSHARP_USER_KEY"]
    now, secret = int(time.time()), base64.b64decode(settings["MARKETSHARP_SECRET_KEY"])
    made = hmac.new(secret, f"{company}{user}{now}".encode(), hashlib.sha256).digest()
    return f"{company}:{user}:{now}:{base64.b64encode(made).decode()}"


BAD = [
    ("arrivy", "/tasks?items_per_page=many", 400),
    ("arrivy", "/tasks?from=yesterday", 400),
    ("callrail", "/a/{CALLRAIL_ACCOUNT_ID}/calls.json?page=two", 400),
    ("callrail", "/a/{CALLRAIL_ACCOUNT_ID}/calls.json?start_date=yesterday", 400),
    ("gsheet", "/v4/spreadsheets/sandbox-leads-sheet/values/Leads!", 400),
    ("gsheet", "/v4/spreadsheets/sandbox-leads-sheet/values/Nobody", 400),
    ("gsheet", "/v4/spreadsheets/sandbox-leads-sheet/values/Leads?valueRenderOption=X", 400),
    ("gsheet", "/v4/spreadsheets/nobody/values/Leads", 404),
    ("hubspot", "/crm/v3/objects/contacts?limit=all", 400),
    ("hubspot", "/crm/v3/objects/contacts?associations=planets", 400),
    ("hubspot", "/crm/v3/objects/contacts/999999999999", 404),
    ("leadconduit", "/events?limit=all", 400),
    ("leadconduit", "/events?rules=[", 400),
    ("leadconduit", "/events?start=yesterday", 400),
    ("marketsharp", "/Contacts?$top=all", 400),
    ("marketsharp", "/Contacts?$skip=-1", 400),
    ("marketsharp", "/Contacts?$select=id", 400),
    ("marketsharp", "/Contacts?$filter=nobody eq 'x'", 400),
    ("marketsharp", "/Contacts?$filter=startswith(firstName, 'D')", 400),
    ("marketsharp", "/Contacts?$filter=firstName eq", 400),
    ("marketsharp", "/Contacts?$filter=firstName gt 3", 400),
    ("marketsharp", "/Contacts?$orderby=nobody", 400),
    ("salespro", "/jobs?page=two", 413),
    ("salespro", "/jobs?date_range_type=job_updated_date", 413),
    ("salesrabbit", "/leads?page=two", 400),
    ("salesrabbit", "/leads?perPage=all", 400),
]


@pytest.mark.parametrize(("name", "path", "status"), BAD, ids=lambda value: str(value)[:60])
def test_bad_input_is_refused(name: str, path: str, status: int, tmp_path: Path) -> None:
    _, client, settings = asked(name, tmp_path)
    answer = client.get(
        quote(path.format(**settings), safe="/?=&$!"), headers=headers(name, settings)
    )
    assert answer.status_code == status, answer.text


def test_a_header_that_is_no_signature_is_refused(tmp_path: Path) -> None:
    _, client, settings = asked("marketsharp", tmp_path)
    wrong = signed(settings).split(":")
    wrong[2] = "now"
    assert client.get("/Contacts", headers={"Authorization": ":".join(wrong)}).status_code == 401


def test_an_envelope_without_an_operation_is_a_fault_of_the_client(tmp_path: Path) -> None:
    _, client, settings = asked("five9", tmp_path)
    path = "/wsadmin/v13/AdminWebService"
    for body in ("", "no XML", "<a/>"):
        answer = client.post(path, data=body, headers=headers("five9", settings))
        assert "soap:Client" in answer.text


ROWS: list[dict[str, Any]] = [
    {"id": "1", "name": "O'Neil", "year": 1987, "active": True, "at": "/Date(1764547200000)/"},
    {"id": "2", "name": "Lee", "year": None, "active": False, "at": "/Date(1764633600000)/"},
    {"id": "3", "name": "Reyes", "year": 2004, "active": True, "at": None},
]
NAMES = tuple(ROWS[0])


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("name eq 'O''Neil'", "1"),
        ("name eq 'Lee' or name eq 'Reyes'", "23"),
        ("name ne 'Lee' and active eq true", "13"),
        ("active eq true and year gt 1990 or name eq 'Lee'", "23"),
        ("active eq true and (year gt 1990 or name eq 'Lee')", "3"),
        ("not (active eq true)", "2"),
        ("year eq null", "2"),
        ("year ne null", "13"),
        ("year lt 2004", "1"),
        ("at ge datetime'2025-12-02T00:00:00' or at eq null", "23"),
        ("id eq guid'2'", "2"),
    ],
)
def test_a_filter_lets_through_what_it_says(text: str, ids: str) -> None:
    is_wanted = filter_of(text, NAMES)
    assert "".join(row["id"] for row in ROWS if is_wanted(row)) == ids


@pytest.mark.parametrize(
    "text", ["name", "name eq", "(name eq 'x'", "name eq 'x' 'y'", "1 eq 1", "#"]
)
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(BadQuery):
        filter_of(text, NAMES)


def test_rows_are_ordered_both_ways() -> None:
    assert [row["id"] for row in ordered(ROWS, "active desc,name", NAMES)] == ["1", "3", "2"]


@pytest.fixture
def lake(tmp_path: Path) -> tuple[Client, dict[str, str]]:
    _, client, settings = asked("salespro", tmp_path)
    return client, settings


def ask_athena(client: Client, operation: str, body: str, *, key: str, secret: str) -> TestResponse:
    request = AWSRequest(
        "POST",
        f"{BASE}/athena/",
        data=body,
        headers={"X-Amz-Target": f"AmazonAthena.{operation}", "Host": "localhost"},
    )
    SigV4Auth(Credentials(key, secret), "athena", "us-east-1").add_auth(request)
    return client.post("/athena/", data=body, headers=dict(request.headers))


def test_athena_refuses_a_wrong_secret(lake: tuple[Client, dict[str, str]]) -> None:
    client, settings = lake
    key, secret = settings["SALESPRO_ACCESS_KEY_ID"], settings["SALESPRO_SECRET_ACCESS_KEY"]
    body = json.dumps({"QueryString": 'SELECT * FROM "customer"'})
    good = ask_athena(client, "StartQueryExecution", body, key=key, secret=secret)
    assert good.status_code == 200
    wrong = ask_athena(client, "StartQueryExecution", body, key=key, secret=f"{secret}x")
    assert (wrong.status_code, json.loads(wrong.text)["__type"]) == (
        400,
        "InvalidSignatureException",
    )


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("StartQueryExecution", "no JSON"),
        ("StartQueryExecution", "[]"),
        ("StartQueryExecution", "{}"),
        ("GetQueryExecution", '{"QueryExecutionId": "nobody"}'),
        ("GetQueryResults", '{"QueryExecutionId": "nobody"}'),
        ("CreateWorkGroup", "{}"),
    ],
)
def test_athena_refuses_what_it_does_not_know(
    lake: tuple[Client, dict[str, str]], operation: str, body: str
) -> None:
    client, settings = lake
    key, secret = settings["SALESPRO_ACCESS_KEY_ID"], settings["SALESPRO_SECRET_ACCESS_KEY"]
    answer = ask_athena(client, operation, body, key=key, secret=secret)
    assert answer.status_code == 400
    assert json.loads(answer.text)["__type"].endswith("Exception")
