"""The HTTP layer against a real server on this machine."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    PermanentError,
    QuotaExceeded,
    SyncCancelled,
    Throttled,
    TransientError,
)
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.rate_limit import ProcessRateLimiter, Rate
from ingestion.sync.common.source import Meter, SourceContext
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.http.retry import RetryPolicy

TOKEN = "tok-very-secret-1"
QUICK = RetryPolicy(attempts=3, first_delay_seconds=0.001, max_delay_seconds=0.002)


class CancelledReporter(SilentReporter):
    """Says stop at the ``after``-th question."""

    def __init__(self, after: int) -> None:
        self.left = after

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise SyncCancelled


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def make_client(httpserver: HTTPServer, meter: Meter) -> Callable[..., HttpClient]:
    def make(*, context: dict[str, Any] | None = None, **api: Any) -> HttpClient:
        values = {"retry": QUICK, "credentials": ("ACME_TOKEN",), "secrets": (TOKEN,), **api}
        return HttpClient(
            HttpApi("Acme", httpserver.url_for("").rstrip("/"), **values),
            SourceContext(
                **{"settings": {}, "timeout_seconds": 5, "meter": meter, **(context or {})}
            ),
        )

    return make


def in_turn(*responses: Response) -> Callable[[Request], Response]:
    """Answers one after the other; the last one from then on."""
    left = list(responses)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def test_gives_the_parsed_answer_and_counts_it(httpserver, make_client, meter):
    httpserver.expect_request("/things").respond_with_json({"results": [{"id": 1}]})

    answer = make_client().get("/things", {"limit": 5})

    assert answer.records("results") == [{"id": 1}]
    assert dict(httpserver.log[0][0].args) == {"limit": "5"}
    assert meter.requests == 1
    assert meter.bytes_read == len(httpserver.log[0][1].data)


@pytest.mark.parametrize("status", [429, 500, 503, 522])
def test_tries_again_after_a_passing_failure(httpserver, make_client, meter, status):
    good = Response('{"ok": true}', content_type="application/json")
    httpserver.expect_request("/things").respond_with_handler(
        in_turn(Response(status=status), good)
    )

    assert make_client().get("/things").object() == {"ok": True}
    assert meter.requests == 2
    assert meter.throttled == (1 if status == 429 else 0)


@pytest.mark.parametrize("status", [429, 500, 502])
def test_gives_up_with_a_transient_error(httpserver, make_client, meter, status):
    httpserver.expect_request("/things").respond_with_data("", status=status)

    with pytest.raises(TransientError, match=rf"Acme GET /things .*{status}"):
        make_client().get("/things")
    assert meter.requests == QUICK.attempts


def test_a_run_may_allow_fewer_attempts_than_the_crm(httpserver, make_client, meter):
    httpserver.expect_request("/things").respond_with_data("", status=503)

    with pytest.raises(TransientError):
        make_client(context={"max_attempts": 1}).get("/things")
    assert meter.requests == 1


@pytest.mark.parametrize(("status", "error"), [(401, CredentialsError), (403, NotAllowed)])
def test_a_refusal_names_the_setting(httpserver, make_client, meter, status, error):
    httpserver.expect_request("/things").respond_with_json(
        {"message": f"token {TOKEN} is expired"}, status=status
    )

    with pytest.raises(error) as caught:
        make_client().get("/things", {"key": TOKEN})

    assert "ACME_TOKEN" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert meter.requests == 1


@pytest.mark.parametrize("status", [400, 404, 405, 422, 501, 301])
def test_a_refused_request_is_not_repeated(httpserver, make_client, meter, status):
    httpserver.expect_request("/things").respond_with_json({"error": "no way"}, status=status)

    with pytest.raises(PermanentError, match=str(status)) as caught:
        make_client().get("/things")

    assert not isinstance(caught.value, CredentialsError)
    assert meter.requests == 1


def test_an_accepted_status_is_an_answer(httpserver, make_client):
    httpserver.expect_request("/things").respond_with_data("", status=304)

    answer = make_client().get("/things", accept=(304,))

    assert (answer.status, answer.data) == (304, None)


def test_truncated_json_is_asked_for_again(httpserver, make_client, meter):
    broken = Response('{"results": [{"id": 1}, {"i', content_type="application/json")
    good = Response('{"results": []}', content_type="application/json")
    httpserver.expect_request("/things").respond_with_handler(in_turn(broken, good))

    assert make_client().get("/things").records("results") == []
    assert meter.requests == 2


def test_json_that_stays_truncated_is_transient(httpserver, make_client):
    httpserver.expect_request("/things").respond_with_data('{"results": [', status=200)

    with pytest.raises(TransientError, match="breaks off"):
        make_client().get("/things")


def test_a_web_page_in_place_of_json_is_permanent(httpserver, make_client, meter):
    httpserver.expect_request("/things").respond_with_data("<!DOCTYPE html><title>Log in</title>")

    with pytest.raises(PermanentError, match=r"web page.*base URL"):
        make_client().get("/things")
    assert meter.requests == 1


def test_a_cut_connection_is_transient(make_client, meter, unused_port):
    client = HttpClient(
        HttpApi("Acme", f"http://127.0.0.1:{unused_port}", retry=QUICK),
        SourceContext(settings={}, meter=meter),
    )

    with pytest.raises(TransientError, match="Acme GET /things got no complete answer"):
        client.get("/things")
    assert meter.requests == QUICK.attempts


def test_an_unsendable_credential_stays_unquoted(make_client):
    client = make_client(headers={"X-Token": f"{TOKEN}\nX-Other: 1"})

    with pytest.raises(PermanentError, match="ACME_TOKEN") as caught:
        client.get("/things")
    assert TOKEN not in str(caught.value)


def test_no_credentials_are_taken_from_netrc(httpserver, make_client, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text(f"machine {httpserver.host} login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    httpserver.expect_request("/things").respond_with_json({})

    make_client().get("/things")

    assert "Authorization" not in httpserver.log[0][0].headers


def test_the_crm_may_explain_a_refusal_itself(httpserver, make_client, meter):
    resets_at = datetime(2026, 1, 2, tzinfo=UTC)
    httpserver.expect_request("/things").respond_with_json({"policy": "DAILY"}, status=429)

    def explain(refusal):
        return QuotaExceeded("Used up.", resets_at=resets_at) if refusal.body else None

    with pytest.raises(QuotaExceeded):
        make_client(explain=explain).get("/things")
    assert meter.requests == 1
    assert meter.throttled == 1


def test_a_far_retry_after_ends_the_run_and_is_handed_on(httpserver, make_client, meter):
    httpserver.expect_request("/things").respond_with_data(
        "", status=429, headers={"Retry-After": "3600"}
    )

    with pytest.raises(TransientError) as caught:
        make_client().get("/things")
    assert caught.value.retry_after_seconds == 3600
    assert meter.requests == 1


def test_a_cancel_ends_a_wait(httpserver, make_client):
    httpserver.expect_request("/things").respond_with_data(
        "", status=429, headers={"Retry-After": "250"}
    )

    with pytest.raises(SyncCancelled):
        make_client(context={"reporter": CancelledReporter(after=2)}).get("/things")


@pytest.mark.parametrize(
    ("unit", "header", "seconds"),
    [
        ("seconds", "2", 2.0),
        ("either", "2", 2.0),
        ("either", "300", 300.0),
        ("either", "10000", 300.0),  # ten seconds, if it is milliseconds
        ("either", "86400000", 604800.0),
        ("seconds", "86400", 86400.0),
        ("seconds", "nan", None),
        ("seconds", "inf", None),
        ("seconds", "1e308", 604800.0),
        ("seconds", "-5", 0.0),
        ("seconds", "Fri, 31 Dec 9999 23:59:59 GMT", 604800.0),
        ("seconds", "Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("ignored", "2", None),
        ("seconds", "soon", None),
        ("seconds", None, None),
        ("either", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("seconds", "Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_read_in_the_unit_of_the_crm(unit, header, seconds):
    assert RetryPolicy(retry_after=unit).asked_delay_seconds(header) == seconds


def test_retry_after_as_a_date_counts_from_now():
    header = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    asked = RetryPolicy().asked_delay_seconds(header)

    assert asked is not None
    assert 3000 < asked <= 3600


def waits_of(policy: RetryPolicy, error: TransientError) -> list[float]:
    """How long a policy waits between attempts that all fail with ``error``."""
    waits: list[float] = []

    def attempt() -> None:
        raise error

    with pytest.raises(TransientError):
        policy.run(attempt, pause=waits.append)
    return waits


def test_after_a_429_that_tells_no_time_the_attempts_span_a_minute():
    waits = waits_of(RetryPolicy(), Throttled("too many"))

    assert sum(waits) > 60
    assert max(waits) <= 60


def test_after_a_429_the_time_that_it_tells_counts():
    assert waits_of(RetryPolicy(), Throttled("too many", retry_after_seconds=7)) == [7, 7, 7, 7]


def test_a_run_may_be_given_fewer_attempts_and_shorter_delays():
    policy = RetryPolicy().at_most(3).starting_with(0.01)

    first, second = waits_of(policy, TransientError("down"))

    assert first <= 0.01
    assert second <= 0.02


def test_an_answer_of_another_shape_is_permanent(httpserver, make_client):
    httpserver.expect_request("/things").respond_with_json({"results": {"id": 1}})

    with pytest.raises(PermanentError, match="'results'"):
        make_client().get("/things").records("results")


def test_a_budget_that_is_used_up_for_long_ends_the_run(httpserver, make_client, meter):
    httpserver.expect_request("/things").respond_with_json({})
    rate = Rate("acme:hour", requests=1, window_seconds=3600)
    client = make_client(context={"limiter": ProcessRateLimiter()}, rates=(rate,))
    client.get("/things")

    with pytest.raises(QuotaExceeded, match=r"Acme GET /things .*1 requests.*acme:hour") as caught:
        client.get("/things")

    until = (caught.value.resets_at - datetime.now(UTC)).total_seconds()
    assert 300 < until <= rate.spaced_seconds
    assert f"{caught.value.resets_at:%H:%M}" in str(caught.value)
    assert meter.requests == 1


def test_every_request_takes_a_place_of_each_rate(httpserver, make_client):
    httpserver.expect_request("/things").respond_with_json({})
    taken: list[str] = []

    class Counting:
        def reserve(self, rate: Rate) -> float:
            taken.append(rate.name)
            return 0

    client = make_client(context={"limiter": Counting()}, rates=(Rate("burst", 9, 1),))
    client.get("/things", rates=(Rate("search", 9, 1),))

    assert taken == ["burst", "search"]


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_sends_a_body_of_its_own_and_reads_the_answer_with_the_parser_of_the_api(
    httpserver, make_client
):
    httpserver.expect_request("/soap", method="POST", data="<ask/>").respond_with_data("<a>1</a>")
    client = make_client(parse=lambda label, response: (label, response.text))

    answer = client.send(requests.Request("POST", client.api.base_url + "/soap", data=b"<ask/>"))

    assert answer.data == ("Acme POST /soap", "<a>1</a>")
