"""Faults, limits, refusals and broken answers: one sentence each, and no secret in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from ingestion.sync.common.errors import (
    CredentialsError,
    PermanentError,
    QuotaExceeded,
    SyncCancelled,
    SyncError,
    TransientError,
)
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.five9.tests.conftest import Five9
from sandbox.crms.five9.limits import OperationLimits
from sandbox.crms.five9.service import PASSWORD
from sandbox.crms.five9.wire import SoapFault


class CancelledReporter(SilentReporter):
    """Says stop from the ``after``-th question on."""

    def __init__(self, after: int) -> None:
        self.left = after

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise SyncCancelled


def failing(five9: Five9, name: str, times: int = 1, **told: str) -> None:
    five9.sandbox.fail_next = [SoapFault(name, f"it was {PASSWORD}", told) for _ in range(times)]


@pytest.mark.parametrize(
    "name",
    [
        "AdminSessionClosedFault",
        "ConcurrentModificationFault",
        "ServerFault",
        "ServiceUnavailableFault",
        "UserAlreadyLoggedInFault",
        "",
    ],
)
def test_a_passing_fault_is_tried_again(five9: Five9, name: str) -> None:
    failing(five9, name)

    assert len(five9.ids()) == 150


def test_a_passing_fault_that_stays_is_transient_and_tells_its_detail(five9: Five9) -> None:
    failing(five9, "ServerFault", times=5)

    with pytest.raises(TransientError) as raised:
        five9.ids()

    expected = r"Five9 getContactFields failed with ServerFault: it was ***; try again later."
    assert str(raised.value) == expected


@pytest.mark.parametrize("name", ["AccessDisallowedFault", "InvalidAccountFault"])
def test_a_fault_of_the_account_points_at_the_credentials(five9: Five9, name: str) -> None:
    failing(five9, name)

    with pytest.raises(CredentialsError, match=f"{name}.*check FIVE9_USERNAME, FIVE9_PASSWORD"):
        five9.ids()


def test_other_faults_are_permanent_and_tell_what_they_know(five9: Five9) -> None:
    failing(five9, "CrmFieldNotFoundFault", fieldName="number9")

    with pytest.raises(PermanentError, match=r"CrmFieldNotFoundFault: .*\(fieldName number9\)"):
        five9.ids()
    assert five9.sandbox.operations.count("getContactFields") == 1


def test_a_fault_that_blames_the_sender_is_permanent(five9: Five9) -> None:
    five9.sandbox.fail_next = [SoapFault("", "Unmarshalling Error", code="soap:Client")]

    with pytest.raises(PermanentError, match="failed with Unmarshalling Error"):
        five9.ids()


def test_a_limit_of_a_short_window_is_waited_for(five9: Five9) -> None:
    five9.sandbox.limits = OperationLimits({1: {"Query": 2}})
    five9.sandbox.limits.count("Query")

    assert len(five9.ids()) == 150
    assert five9.meter.throttled == 1


def test_requests_keep_to_the_limits_ahead_of_time(five9: Five9) -> None:
    five9.sandbox.limits = OperationLimits({1: {"Query": 20}})
    five9.sandbox.behavior.record_limit = 60

    assert len(five9.ids(FIVE9_RECORD_LIMIT="60")) == 150
    assert five9.meter.throttled == 0


def test_a_limit_of_a_long_window_ends_the_run_with_the_time_of_its_reset(five9: Five9) -> None:
    five9.sandbox.limits = OperationLimits({1: {"Query": 100}, 86_400: {"Query": 1}})

    with pytest.raises(
        QuotaExceeded, match="limit of 1 Query operations in 86400 seconds"
    ) as raised:
        five9.ids()

    assert abs(raised.value.resets_at - datetime.now(UTC) - timedelta(days=1)) < timedelta(hours=1)
    assert five9.meter.throttled == 1


def test_a_limit_that_no_counter_explains_is_transient(five9: Five9) -> None:
    failing(five9, "OperationsLimitExceededFault", times=5, limit="9", operationType="Query")

    with pytest.raises(TransientError, match="over the domain's limit of Query operations"):
        five9.ids()


def test_a_wrong_password_is_a_credentials_error(five9: Five9) -> None:
    with pytest.raises(CredentialsError) as raised:
        five9.ids(FIVE9_PASSWORD="another-secret")

    assert "check FIVE9_USERNAME, FIVE9_PASSWORD" in str(raised.value)
    assert "another-secret" not in str(raised.value)


def test_the_session_is_ended(five9: Five9) -> None:
    five9.ids()

    assert five9.sandbox.operations[-1] == "closeSession"


def test_a_source_that_asked_for_nothing_has_no_session_to_end(five9: Five9) -> None:
    five9.source().close()

    assert five9.sandbox.operations == []


def test_a_cancel_ends_the_run_between_requests_and_the_session_too(five9: Five9) -> None:
    five9.sandbox.behavior.record_limit = 20
    five9.reporter = CancelledReporter(after=6)

    with pytest.raises(SyncCancelled):
        five9.ids(FIVE9_RECORD_LIMIT="20")

    assert five9.sandbox.operations[-1] == "closeSession"


def test_an_unknown_version_of_the_api_is_an_error(five9: Five9) -> None:
    with pytest.raises(PermanentError, match=r"does not exist.*the API version"):
        five9.ids(FIVE9_API_VERSION="v99")


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (Response("", 401), CredentialsError, "refused the credentials"),
        (Response("<html>No</html>", 401), CredentialsError, "refused the credentials"),
        (Response("slow down", 429), TransientError, "too many requests"),
        (Response("", 503), TransientError, "failed on the server's side"),
        (Response("", 500), TransientError, "failed on the server's side"),
        (Response("<html>Sorry</html>", 500), TransientError, "failed on the server's side"),
        (Response("<html>Hello</html>", 200), PermanentError, "web page in place of SOAP"),
        (Response("<ok/>", 200), PermanentError, "SOAP envelope; check FIVE9_BASE_URL"),
        (Response("<soap:Envelope xmlns:soap='http:", 200), TransientError, "breaks off"),
        (
            Response(
                "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body/>"
                "</s:Envelope>"
            ),
            PermanentError,
            "does not describe",
        ),
    ],
)
def test_answers_that_are_none_are_errors_that_name_the_operation(
    five9: Five9, httpserver: HTTPServer, answer: Response, error: type[SyncError], words: str
) -> None:
    httpserver.expect_request("/wsadmin/v13/AdminWebService").respond_with_response(answer)

    with pytest.raises(error, match=words) as raised:
        five9.ids(FIVE9_BASE_URL=httpserver.url_for("").rstrip("/"))

    assert str(raised.value).startswith("Five9 getCallCountersState")


def test_an_overloaded_server_is_asked_again(five9: Five9, httpserver: HTTPServer) -> None:
    busy = [Response("", 429, headers={"Retry-After": "0"}), Response("", 503)]
    asked = []

    def answer(request: Request) -> Response:
        asked.append(request.data)
        return busy.pop(0) if busy else Response("", 401)

    httpserver.expect_request("/wsadmin/v13/AdminWebService").respond_with_handler(answer)

    with pytest.raises(CredentialsError):
        five9.ids(FIVE9_BASE_URL=httpserver.url_for("").rstrip("/"))
    assert len(asked) == 4  # with the end of the session
    assert five9.meter.throttled == 1


def test_nobody_answers(five9: Five9) -> None:
    with pytest.raises(TransientError, match="Five9 getCallCountersState got no complete answer"):
        five9.ids(FIVE9_BASE_URL="http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("FIVE9_RECORD_LIMIT", "none", "FIVE9_RECORD_LIMIT is 'none'"),
        ("FIVE9_TIME_ZONE", "Mars/Base", "FIVE9_TIME_ZONE is 'Mars/Base'"),
        ("FIVE9_TIME_FORMAT", "QQQQ", "FIVE9_TIME_FORMAT is 'QQQQ'"),
        ("FIVE9_WALK_FIELDS", " , ", "FIVE9_WALK_FIELDS is empty"),
    ],
)
def test_a_wrong_setting_is_named(five9: Five9, setting: str, value: str, words: str) -> None:
    with pytest.raises(PermanentError, match=words):
        five9.source(**{setting: value})
