"""What programs are told: the end of every run, once, signed."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_httpserver import HTTPServer

from ingestion.models import Delivery, SyncHistory
from ingestion.services.notices import webhooks
from ingestion.signals import run_ended
from tests.unit.notices.conftest import NOON

SECRET = "a-secret-of-webhooks"


@pytest.fixture
def hook(db: None, httpserver: HTTPServer, settings: Any) -> HTTPServer:
    httpserver.expect_request("/runs", method="POST").respond_with_data("thanks")
    settings.INGESTION_TASK_WEBHOOK_URLS = [httpserver.url_for("/runs")]
    settings.INGESTION_TASK_WEBHOOK_SECRET = SECRET
    return httpserver


def ended(status: str = "success") -> SyncHistory:
    now = datetime.now(NOON.tzinfo)
    return SyncHistory.objects.create(
        crm_source="hubspot", sync_type="deals", status=status, start_time=now, end_time=now
    )


def test_every_end_is_told_once_and_signed(
    hook: HTTPServer, clock: time_machine.Coordinates
) -> None:
    row = ended("failed")
    webhooks.tell_of_ended_runs()
    webhooks.tell_of_ended_runs()
    ((request, _),) = hook.log
    content = json.loads(request.get_data())
    assert (content["event"], content["run"]["id"]) == ("run_ended", row.pk)
    stamp = request.headers["X-Warehouse-Timestamp"]
    assert request.headers["X-Warehouse-Signature"] == webhooks.signature(
        SECRET, timestamp=stamp, body=request.get_data()
    )


def test_the_signature_is_that_of_the_description() -> None:
    # echo -n '1700000000.{}' | openssl dgst -sha256 -hmac a-secret-of-webhooks
    expected = "v1=ecfd365ee962a7afeb0b8fd4e37d5d6ae2311302318357da60942d2647b4672e"
    assert webhooks.signature(SECRET, timestamp="1700000000", body=b"{}") == expected


def test_a_program_that_is_away_is_told_later(
    hook: HTTPServer, clock: time_machine.Coordinates
) -> None:
    hook.clear()
    hook.expect_oneshot_request("/runs").respond_with_data("no", status=503)
    hook.expect_request("/runs").respond_with_data("thanks")
    ended()
    webhooks.tell_of_ended_runs()
    found = Delivery.objects.get()
    assert (found.state, found.error) == ("waiting", "The answer was 503.")
    clock.shift(timedelta(minutes=1))
    webhooks.tell_of_ended_runs()
    found.refresh_from_db()
    assert (found.state, found.attempts) == ("sent", 2)
    first, second = (request.headers["X-Warehouse-Delivery"] for request, _ in hook.log)
    assert first == second


def test_without_listeners_nothing_is_written(
    db: None, clock: time_machine.Coordinates, django_assert_num_queries: Any
) -> None:
    ended()
    with django_assert_num_queries(0):
        webhooks.tell_of_ended_runs()


def test_a_receiver_is_called_once_a_run(db: None, clock: time_machine.Coordinates) -> None:
    seen: list[int] = []

    def receive(run: SyncHistory, **_: Any) -> None:
        seen.append(run.pk)
        raise ValueError("of the receiver")

    run_ended.connect(receive)
    row = ended()
    webhooks.tell_of_ended_runs()
    webhooks.tell_of_ended_runs()
    assert seen == [row.pk]
