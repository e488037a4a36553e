"""One trace from the submission to the merge, as a collector of OpenTelemetry gets it from all processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from pytest_httpserver import HTTPServer

from ingestion.services.system.embedded_redis import NoRedisServer
from tests.e2e.live import PASSWORD, USER, Live, live_system
from tests.fake_hubspot import HubspotAccount
from tests.integration.system import wait_for
from tests.missing import cannot_have

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

SECRET_VALUE = "a-value-of-a-record"


class Collector:
    """Takes OTLP over HTTP."""

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self.url = server.url_for("/v1/traces")
        server.expect_request("/v1/traces", method="POST").respond_with_data(b"")

    @property
    def received(self) -> list[bytes]:
        return [request.get_data() for request, _ in self._server.log]

    def spans_of(self, task_id: str) -> dict[str, Span]:
        """Those of the trace whose id is the task's, by name."""
        wanted = bytes.fromhex(task_id.replace("-", ""))
        return {
            span.name: span
            for body in self.received
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
            if span.trace_id == wanted
        }


@pytest.fixture
def collector() -> Iterator[Collector]:
    with HTTPServer() as server:
        yield Collector(server)


@pytest.fixture
def live(collector: Collector, httpserver: HTTPServer, tmp_path: Path) -> Iterator[Live]:
    account = HubspotAccount(httpserver)
    account.properties["nickname"] = "string"
    for number in (1, 2, 3):
        account.put(number, "2026-02-01T00:00:00.000Z", nickname=SECRET_VALUE)
    environment = {
        **account.environment,
        "WAREHOUSE_URL": f"sqlite:///{tmp_path / 'warehouse.sqlite3'}",
        "TRACES_URL": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    try:
        with live_system(tmp_path / "live", **environment) as system:
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


def submitted_over_http(live: Live) -> str:
    """As the dialog of the dashboard does."""
    with requests.Session() as browser:
        login = f"{live.url}/login/"
        browser.get(login, timeout=30)
        form = {"username": USER, "password": PASSWORD}
        browser.post(
            login, {**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]}, timeout=30
        )
        answer = browser.post(
            f"{live.url}/api/tasks",
            json={"crm_source": "hubspot", "sync_type": "contacts"},
            headers={"X-CSRFToken": browser.cookies["csrftoken"], "Referer": live.url},
            timeout=30,
        )
    answer.raise_for_status()
    task_id: str = answer.json()["task"]["id"]
    return task_id


def submitted_by_command(live: Live) -> str:
    done = live.manage("manage_worker_pool", "submit", "hubspot", "contacts", "--json")
    task_id: str = json.loads(done.stdout)["task"]["id"]
    return task_id


@pytest.mark.parametrize(
    ("submit", "entry_point"),
    [(submitted_over_http, "http"), (submitted_by_command, "command")],
    ids=["http", "command"],
)
def test_one_trace_from_the_submission_to_the_merge(
    live: Live, collector: Collector, submit: Callable[[Live], str], entry_point: str
) -> None:
    task_id = submit(live)

    def all_spans() -> dict[str, Span] | None:
        found = collector.spans_of(task_id)
        return found if {"submit", "attempt 1"} <= found.keys() else None

    spans = wait_for(all_spans, what="the spans of both processes")

    assert {"submit", "waiting", "attempt 1", "start", "model contacts", "load"} <= spans.keys()
    root = spans["submit"]
    assert not root.parent_span_id
    assert {one.key: one.value.string_value for one in root.attributes}[
        "dw.entry_point"
    ] == entry_point
    for child, parent in (
        ("waiting", "submit"),
        ("attempt 1", "submit"),
        ("model contacts", "attempt 1"),
        ("load", "model contacts"),
    ):
        assert spans[child].parent_span_id == spans[parent].span_id, child
    begin = [spans[name].start_time_unix_nano for name in ("submit", "attempt 1", "load")]
    assert begin == sorted(begin)
    sent = b"".join(collector.received)
    assert SECRET_VALUE.encode() not in sent
    assert b"pat-na1-made-up" not in sent
