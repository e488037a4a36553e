"""Five9's sandbox speaks SOAP as the real service does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from werkzeug.test import Client, TestResponse

from sandbox.base import SandboxConf
from sandbox.crms.five9.limits import OperationLimits
from sandbox.crms.five9.service import PASSWORD, USER, Five9Sandbox

ENDPOINT = "/wsadmin/v13/AdminWebService"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ENVELOPE = (
    '<soap-env:Envelope xmlns:soap-env="http://schemas.xmlsoap.org/soap/envelope/"><soap-env:Body>'
    '<ns0:{name} xmlns:ns0="http://service.admin.ws.five9.com/">{inner}</ns0:{name}>'
    "</soap-env:Body></soap-env:Envelope>"
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Five9Sandbox:
    return Five9Sandbox(SandboxConf(tmp_path, rows=30))


def ask(
    sandbox: Five9Sandbox, name: str, inner: str = "", *, password: str = PASSWORD
) -> TestResponse:
    return Client(sandbox.wsgi()).post(  # type: ignore[arg-type]
        ENDPOINT,
        data=ENVELOPE.format(name=name, inner=inner),
        auth=(USER, password),
        content_type="text/xml; charset=utf-8",
    )


def look_up(sandbox: Five9Sandbox, criteria: str = "") -> list[list[str | None]]:
    response = ask(sandbox, "getContactRecords", f"<lookupCriteria>{criteria}</lookupCriteria>")
    assert response.status_code == 200
    rows = etree.fromstring(response.data).iter("values")
    return [[cell.text for cell in row] for row in rows]


def criterion(name: str, value: str) -> str:
    return f"<criteria><field>{name}</field><value>{value}</value></criteria>"


def test_the_same_seed_and_ticks_give_the_same_contacts(tmp_path: Path) -> None:
    twins = [Five9Sandbox(SandboxConf(tmp_path, seed=4, rows=40)) for _ in range(2)]

    done = [twin.tick(AT) for twin in twins]

    assert done[0] == done[1]
    assert all(done[0].values())
    assert twins[0].domain.contacts == twins[1].domain.contacts
    assert twins[0].counts() == {"contacts": 40 + done[0]["created"] - done[0]["deleted"]}


def test_children_have_no_namespace_and_missing_values_are_nil(sandbox: Five9Sandbox) -> None:
    response = ask(sandbox, "getContactRecords", "<lookupCriteria/>")

    assert response.content_type == "text/xml;charset=UTF-8"
    assert b'<ns2:getContactRecordsResponse xmlns:ns2="http://service.admin.ws' in response.data
    assert b"<return><fields>number1</fields>" in response.data
    assert b'<data xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"/>' in (
        response.data
    )


def test_the_id_comes_under_the_name_that_was_asked_for(sandbox: Five9Sandbox) -> None:
    inner = "<lookupCriteria><contactIdField>who</contactIdField></lookupCriteria>"

    assert (
        b"<return><fields>who</fields><fields>number1"
        in ask(sandbox, "getContactRecords", inner).data
    )


def test_criteria_are_anded_and_percent_stands_for_anything(sandbox: Five9Sandbox) -> None:
    both = criterion("number1", "615%") + criterion("last_list", "Events")
    wanted = [
        c
        for c in sandbox.domain.contacts.values()
        if (c.values["number1"] or "").startswith("615") and c.values["last_list"] == "Events"
    ]

    assert len(look_up(sandbox, both)) == len(wanted)
    assert len(look_up(sandbox, criterion("number1", "%"))) < 31


def test_a_lookup_is_cut_off_without_a_word(sandbox: Five9Sandbox) -> None:
    for number in range(1_000):
        sandbox.domain.add({"number1": f"201555{number:04d}"})

    assert len(look_up(sandbox)) == 1_000


def test_a_fault_is_a_500_with_its_detail(sandbox: Five9Sandbox) -> None:
    lookup = f"<lookupCriteria>{criterion('nothing', '1')}</lookupCriteria>"

    response = ask(sandbox, "getContactRecords", lookup)

    assert response.status_code == 500
    assert b"<faultcode>soap:Server</faultcode>" in response.data
    assert b"<fieldName>nothing</fieldName><message>Contact field" in response.data


@pytest.mark.parametrize(
    "time",
    [
        "<start>2026-01-01T00:00:00Z</start><end>2026-01-02T00:00:00Z</end>",
        "<begin>2026-01-01T00:00:00Z</begin>",
    ],
)
def test_children_out_of_order_are_refused(sandbox: Five9Sandbox, time: str) -> None:
    response = ask(sandbox, "runReport", f"<criteria><time>{time}</time></criteria>")

    assert response.status_code == 500
    assert b"soap:Client" in response.data
    assert b"Unmarshalling Error" in response.data


def test_a_wrong_password_is_a_401_with_a_web_page(sandbox: Five9Sandbox) -> None:
    response = ask(sandbox, "getContactFields", password="wrong")

    assert response.status_code == 401
    assert response.data.startswith(b"<html>")
    assert "Basic" in response.headers["WWW-Authenticate"]


def test_limits_are_counted_by_kind_within_their_windows(sandbox: Five9Sandbox) -> None:
    now = 0.0
    sandbox.limits = OperationLimits({60: {"Query": 1, "ReportRequest": 9}}, clock=lambda: now)
    assert ask(sandbox, "getListsInfo").status_code == 200

    refused = ask(sandbox, "getContactFields")
    assert b"OperationsLimitExceededFault" in refused.data
    assert b"<limit>1</limit><message>" in refused.data
    assert b"<operationType>Query</operationType>" in refused.data
    counters = ask(sandbox, "getCallCountersState").data
    assert b"<limit>1</limit><operationType>Query</operationType><value>1</value>" in counters
    assert b"<timeout>60</timeout>" in counters

    now = 61.0
    assert ask(sandbox, "getContactFields").status_code == 200
