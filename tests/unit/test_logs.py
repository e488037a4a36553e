"""What stands in the logs: one event a line, its ids, in one file, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.db import OperationalError, ProgrammingError
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from kombu.exceptions import OperationalError as BrokerError
from structlog.contextvars import bound_contextvars

from data_warehouse.logs import console_formatter, json_formatter
from ingestion.pool.errors import PoolUnavailable
from tests.log_files import logging_everything

logger = logging.getLogger("ingestion.services.a_test")


@pytest.fixture
def written(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """All that is logged, as a formatter writes it: JSON, unless the test names another one."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(getattr(request, "param", json_formatter)())
    logging.getLogger().addHandler(handler)
    yield stream.getvalue
    logging.getLogger().removeHandler(handler)


def fail_with(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("at %s", "redis://a:b12345@h")


def test_an_event_is_a_line_of_json_with_the_ids_that_are_bound(
    written: Callable[[], str],
) -> None:
    with bound_contextvars(task_id="t-1", attempt=2, crm="hubspot", model="deals", run=7):
        logger.warning("two\nlines")
    (line,) = written().splitlines()
    event = json.loads(line)
    assert list(event)[:4] == ["timestamp", "level", "event", "logger"]
    assert event["event"] == "two\nlines"
    assert (event["level"], event["logger"]) == ("warning", "ingestion.services.a_test")
    ids = {name: event[name] for name in ("task_id", "attempt", "crm", "model", "run")}
    assert ids == {"task_id": "t-1", "attempt": 2, "crm": "hubspot", "model": "deals", "run": 7}


def test_json_is_masked_with_its_traceback_and_stays_json(written: Callable[[], str]) -> None:
    with bound_contextvars(api_key="abcd1234", left=ValueError("token=hunter3333")):
        fail_with('{"password": "hunter2222"}')
    (line,) = written().splitlines()
    assert json.loads(line)["event"] == "at redis://a:***@h"
    assert "ValueError" in json.loads(line)["exception"]
    assert not any(secret in line for secret in ("hunter2222", "abcd1234", "hunter3333"))


@pytest.mark.parametrize("written", [console_formatter], indirect=True)
def test_what_people_read_is_masked_too(written: Callable[[], str]) -> None:
    with bound_contextvars(api_key="abcd1234", task_id="t-1"):
        fail_with("password=hunter2222")
    shown = written()
    assert "at redis://a:***@h" in shown
    assert "task_id=t-1" in shown
    assert "ValueError: password=***" in shown
    assert "abcd1234" not in shown


@pytest.mark.parametrize("written", [console_formatter, json_formatter], indirect=True)
@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PoolUnavailable("Redis cannot be reached"), "Redis cannot be reached"),
        (BrokerError("[Errno 111] refused\nmore of it"), "[Errno 111] refused"),
        (OperationalError("server closed the connection\n\tThis"), "server closed the connection"),
    ],
)
def test_a_server_that_is_away_takes_a_line(
    written: Callable[[], str], error: Exception, sentence: str
) -> None:
    logger.warning("not sent", exc_info=error)
    (line,) = written().splitlines()
    assert f"not sent: {sentence}" in line
    assert "Traceback" not in line


@pytest.mark.parametrize("written", [console_formatter, json_formatter], indirect=True)
@pytest.mark.parametrize("error", [ProgrammingError("no such column"), TimeoutError("slow")])
def test_what_may_be_a_fault_of_ours_has_its_trace(
    written: Callable[[], str], error: Exception
) -> None:
    try:
        raise error
    except (ProgrammingError, TimeoutError):
        logger.exception("not sent")
    assert "Traceback" in written()
    assert "fault_of_ours" in written()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ingestion.services.tasks.dispatch", "ingestion.log"),
        ("ingestion.sync.common.pipeline", "sync_engines.log"),
        ("celery.app.trace", "celery.log"),
        ("ingestion.access", "access.log"),
        ("axes.signals", "general.log"),
    ],
)
def test_an_event_stands_in_one_file(name: str, file: str, tmp_path: Path) -> None:
    with logging_everything(tmp_path / "logs"):
        logging.getLogger(name).info("here")
    found = [log.name for log in tmp_path.glob("logs/*.log") if "here" in log.read_text()]
    assert found == [file]


def hello(request: HttpRequest, name: str = "") -> HttpResponse:
    logger.warning("asked")
    return HttpResponse()


urlpatterns = [path("hello", hello), path("<str:name>", hello)]


@override_settings(ROOT_URLCONF=__name__)
def test_what_a_request_logs_has_its_id(written: Callable[[], str]) -> None:
    for _ in range(2):
        Client().get("/hello")
    logger.warning("afterwards")
    ids = [json.loads(line).get("request_id") for line in written().splitlines()]
    assert len(ids) == 5  # each request has a line of its own, too
    assert len(set(ids)) == 3
    assert ids[4] is None


def access_lines(written: Callable[[], str]) -> list[dict[str, Any]]:
    events = [json.loads(line) for line in written().splitlines()]
    return [event for event in events if event["logger"] == "ingestion.access"]


@override_settings(ROOT_URLCONF=__name__)
def test_a_request_is_a_line_without_its_query(written: Callable[[], str]) -> None:
    Client().post("/hello?token=s3cr3t", headers={"x-forwarded-for": "203.0.113.9"})
    Client().get("/two%0Alines")
    found, odd = access_lines(written)
    assert (found["method"], found["path"], found["status"]) == ("POST", "/hello", 200)
    assert (found["user"], found["client"]) == ("", "127.0.0.1")  # nobody trusts that proxy
    assert found["ms"] >= 0
    assert found["request_id"]
    assert "s3cr3t" not in written()
    assert odd["path"] == "/two%0Alines"


@override_settings(ROOT_URLCONF=__name__, INGESTION_TRUSTED_PROXIES=[ip_network("127.0.0.1/32")])
def test_behind_a_trusted_proxy_the_line_has_the_client(written: Callable[[], str]) -> None:
    Client().get("/hello", headers={"x-forwarded-for": "203.0.113.9"})
    (line,) = access_lines(written)
    assert line["client"] == "203.0.113.9"


@pytest.mark.django_db
def test_the_line_of_a_request_has_its_user(
    written: Callable[[], str], django_user_model: Any
) -> None:
    client = Client()
    client.force_login(django_user_model.objects.create_user("ada"))
    client.get("/")
    assert access_lines(written)[-1]["user"] == "ada"


def passed_on() -> Any:
    headers: dict[str, Any] = {}
    before_task_publish.send(sender="a.task", headers=headers, body={}, properties={})
    return headers["__django_structlog__"]


def test_a_task_knows_the_request_that_sent_it() -> None:
    with bound_contextvars(request_id="r-1"):
        assert passed_on() == {"request_id": "r-1"}


def test_a_task_knows_nothing_of_the_one_whose_slot_it_got() -> None:
    with bound_contextvars(request_id="r-1", task_id="t-1", attempt=1, run=7):
        assert passed_on() == {}
