"""check_crm against the sandbox. No test here may touch the database: a check writes nothing."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from ingestion.services.runs import check as crm_check
from ingestion.services.runs import sources
from ingestion.services.runs.check import ModelCheck, State, check_all_crms, check_crms
from ingestion.sync.common.errors import NotConnected
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Model, Page, SourceContext
from sandbox.crms.hubspot import HubspotSandbox
from sandbox.serving.server import SandboxServer
from tests.conftest import POSTGRES_URL
from tests.fake_crm import FAKE, FakeSource, people
from tests.missing import cannot_have

pytestmark = pytest.mark.django_db

WRONG = "wrong-credential-1"
WRONG_CREDENTIALS = {
    "arrivy": ("ARRIVY_AUTH_TOKEN", WRONG),
    "callrail": ("CALLRAIL_API_KEY", WRONG),
    "five9": ("FIVE9_PASSWORD", WRONG),
    "gsheet": ("GSHEET_SERVICE_ACCOUNT", json.dumps({"private_key": WRONG})),
    "hubspot": ("HUBSPOT_ACCESS_TOKEN", WRONG),
    "leadconduit": ("LEADCONDUIT_API_KEY", WRONG),
    "marketsharp": ("MARKETSHARP_SECRET_KEY", "d3JvbmctY3JlZGVudGlhbC0x"),
    "salespro": ("SALESPRO_API_TOKEN", WRONG),
    "salesrabbit": ("SALESRABBIT_API_TOKEN", WRONG),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    with SandboxServer(tmp_path_factory.mktemp("sandbox"), rows=40, port=0) as running:
        yield running


@pytest.fixture(autouse=True)
def environment(server: SandboxServer, settings: Any) -> dict[str, str]:
    settings.INGESTION_CRM_ENVIRONMENT = dict(server.settings)
    return settings.INGESTION_CRM_ENVIRONMENT


def states(checks: list[ModelCheck]) -> dict[str | None, State]:
    return {check.model: check.state for check in checks}


@pytest.mark.parametrize("name", sorted(crms()))
def test_every_model_of_a_crm_is_right(name: str) -> None:
    checks = check_crms([name])
    assert states(checks) == {model.name: State.OK for model in crms()[name].models}
    assert all(check.records is not None and not check.message for check in checks)


def test_a_check_asks_for_few_records_only() -> None:
    found = {check.records for check in check_crms(["genius"])}
    assert max(found - {None}) == crm_check.PAGE_RECORDS


def test_there_are_wrong_credentials_for_all_ten() -> None:
    assert len({*WRONG_CREDENTIALS, "genius"} & crms().keys()) == 10


@pytest.mark.parametrize("name", sorted(WRONG_CREDENTIALS))
def test_wrong_credentials_are_told_once_and_unquoted(
    name: str, environment: dict[str, str]
) -> None:
    setting, value = WRONG_CREDENTIALS[name]
    environment[setting] = value

    [check] = check_crms([name])

    assert (check.model, check.state) == (None, State.REFUSED)
    assert setting in check.message
    assert value not in check.message


def test_a_database_that_refuses_the_user_is_told(environment: dict[str, str]) -> None:
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=3).close()
    except psycopg.OperationalError as problem:
        cannot_have("PostgreSQL", problem)
    server = POSTGRES_URL.rpartition("@")[2]
    environment["GENIUS_DATABASE_URL"] = f"postgresql://nobody_here:{WRONG}@{server}"

    [check] = check_crms(["genius"])

    assert (check.model, check.state) == (None, State.REFUSED)
    assert "GENIUS_DATABASE_URL" in check.message
    assert WRONG not in check.message


@pytest.mark.parametrize("name", sorted(crms()))
def test_missing_settings_are_named(name: str, environment: dict[str, str]) -> None:
    needed = [s.name for s in crms()[name].settings if s.required] or ["SALESPRO_API_TOKEN"]
    environment.clear()

    [check] = check_crms([name])

    assert (check.model, check.state) == (None, State.NOT_CONFIGURED)
    assert all(setting in check.message for setting in needed)


def test_a_model_that_may_not_be_read_hides_no_other(server: SandboxServer) -> None:
    sandbox = server.sandboxes.by_name["hubspot"]
    assert isinstance(sandbox, HubspotSandbox)
    sandbox.denied = {"products"}
    try:
        checks = check_crms(["hubspot"])
    finally:
        sandbox.denied = set()

    wrong = {check.model: check for check in checks if not check.is_right}
    assert {name: check.state for name, check in wrong.items()} == {"products": State.NOT_ALLOWED}
    assert "crm.objects.products.read" in wrong["products"].message


def test_what_an_account_does_not_offer_is_not_wrong(environment: dict[str, str]) -> None:
    environment["SALESPRO_BACKEND"] = "athena"

    checks = check_crms(["salespro"])

    assert states(checks) == {
        "customers": State.OK,
        "jobs": State.OK,
        "proposals": State.OK,
        "appointments": State.NOT_OFFERED,
        "leads": State.OK,
        "users": State.NOT_OFFERED,
    }
    assert all(check.is_right for check in checks)


def test_a_crm_that_cannot_be_reached_is_asked_once(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    environment["CALLRAIL_BASE_URL"] = f"http://127.0.0.1:{port}"

    [check] = check_crms(["callrail"])

    assert (check.model, check.state) == (None, State.UNAVAILABLE)
    assert "check the network and the base URL" in check.message


def test_a_crm_that_hangs_holds_up_nobody(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crm_check, "CLOSING_SECONDS", 0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environment["ARRIVY_BASE_URL"] = f"http://127.0.0.1:{silent.getsockname()[1]}"
        hung, other = check_crms(["arrivy"], seconds=0.2), check_crms(["leadconduit"])

    assert states(hung) == {None: State.UNAVAILABLE}
    assert "bookings, tasks, teams, customers, users within 0.2 seconds" in hung[0].message
    assert states(other) == {"leads": State.OK}


def test_a_check_that_waits_for_its_turn_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        def reserve(self, rate: object) -> float:
            return 60

    monkeypatch.setattr(sources, "shared_rate_limiter", Busy)
    assert states(check_crms(["leadconduit"], seconds=0.2)) == {None: State.UNAVAILABLE}


class Broken(FakeSource):
    def columns(self, model: Model) -> dict[str, str]:
        raise KeyError("unforeseen")


@pytest.fixture
def use_source(monkeypatch: pytest.MonkeyPatch) -> Any:
    def use(source: Any) -> None:
        monkeypatch.setattr(crm_check, "crm", lambda name: FAKE)
        monkeypatch.setattr(crm_check, "source_context", lambda *_: SourceContext({}))
        monkeypatch.setattr(crm_check, "load_source", lambda name: lambda context: source)

    return use


def test_a_fault_in_a_source_is_told(use_source: Any, caplog: pytest.LogCaptureFixture) -> None:
    use_source(Broken())
    assert states(check_crms(["fake"])) == {None: State.FAILED}
    assert "unforeseen" in caplog.text


def test_a_source_is_closed_and_its_pages_are_not_read_to_the_end(use_source: Any) -> None:
    source = FakeSource({"leads": people(50)})
    asked: list[int] = []
    source.on_page = lambda model, number: asked.append(number)
    use_source(source)

    [check] = check_crms(["fake"], "leads")

    assert (check.state, check.records) == (State.OK, crm_check.PAGE_RECORDS)
    assert asked == [0]
    assert source.is_closed


def test_a_probe_stands_for_the_first_page(use_source: Any) -> None:
    class Probing(FakeSource):
        def probe(self, model: Model) -> Page | None:
            return Page(people(3)) if model.name == "leads" else None

    use_source(Probing({"leads": people(50), "users": people(50)}))

    assert [c.records for c in check_crms(["fake"], "leads")] == [3]
    assert [c.records for c in check_crms(["fake"], "users")] == [crm_check.PAGE_RECORDS]


def test_a_crm_without_a_source_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(name: str) -> None:
        raise NotConnected("Five9 is not connected yet.")

    monkeypatch.setattr(crm_check, "load_source", no_source)
    assert states(check_crms(["five9"])) == {None: State.FAILED}


def test_all_passes_over_a_crm_of_which_nothing_is_set(environment: dict[str, str]) -> None:
    kept = {name: value for name, value in environment.items() if name.startswith("LEADCONDUIT")}
    environment.clear()
    environment |= {**kept, "HUBSPOT_BASE_URL": "http://127.0.0.1:1", "ARRIVY_AUTH_KEY": "half"}

    found = {(check.crm_source, check.state) for check in check_all_crms()}

    assert ("leadconduit", State.OK) in found
    assert ("hubspot", State.UNUSED) in found
    assert ("arrivy", State.NOT_CONFIGURED) in found
    assert {name for name, _ in found} == crms().keys()


def run(*args: str, **options: Any) -> CommandError | None:
    try:
        call_command("check_crm", *args, **options)
    except CommandError as problem:
        return problem
    return None


def test_the_command_prints_a_line_per_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("salesrabbit", "salesrabbit") is None
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "salesrabbit.users: ok, records seen 2",
        "salesrabbit.leads: ok, records seen 5",
    ]


def test_what_is_wrong_ends_with_exit_code_1(
    environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    environment["HUBSPOT_ACCESS_TOKEN"] = WRONG

    problem = run("leadconduit", "hubspot", json=True)

    assert problem is not None
    assert problem.returncode == 1
    assert "hubspot" in str(problem)
    shown = json.loads(capsys.readouterr().out)
    assert shown["is_right"] is False
    leads, refused = shown["checks"]
    assert leads.pop("seconds") >= 0
    assert leads == {
        "crm_source": "leadconduit",
        "model": "leads",
        "state": "ok",
        "records": 5,
        "message": "",
        "is_right": True,
    }
    assert (refused["model"], refused["state"]) == (None, "credentials_refused")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "Name one or more CRMs"),
        (("hubspot", "--all"), "Name one or more CRMs"),
        (("--all", "--model", "leads"), "Name one or more CRMs"),
        (("nobody",), "known are: arrivy"),
        (("hubspot", "--model", "calls"), "it has: contacts, companies"),
    ],
)
def test_wrong_use_ends_with_exit_code_2(args: tuple[str, ...], said: str) -> None:
    problem = run(*args)
    assert problem is not None
    assert problem.returncode == 2
    assert said in str(problem)


def test_all_of_nothing_is_wrong(environment: dict[str, str]) -> None:
    environment.clear()
    problem = run("--all")
    assert problem is not None
    assert problem.returncode == 1
    assert ".env.example" in str(problem)


def test_on_a_terminal_there_is_a_table(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert run("leadconduit") is None
    assert "records seen" in capsys.readouterr().out
