"""SalesPro's two back ends against their sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestion.sync.common.errors import CredentialsError, NotOffered, PermanentError
from ingestion.sync.common.source import AdaptsModels, Meter, Record, SourceContext, Window
from ingestion.sync.salespro.leap import unwrapped
from ingestion.sync.salespro.settings import CRM
from ingestion.sync.salespro.source import AthenaSource, LeapSource, Source
from ingestion.sync.salespro.times import moment
from sandbox.serving.server import SandboxServer

ROWS = 60
ATHENA = {"SALESPRO_BACKEND": "athena"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    folder = tmp_path_factory.mktemp("sandbox")
    with SandboxServer(folder, names=("salespro",), rows=ROWS, port=0) as running:
        yield running


def source(
    server: SandboxServer, meter: Meter | None = None, **changed: str
) -> LeapSource | AthenaSource:
    defaults = {s.name: s.default for s in CRM.settings}
    settings = {**defaults, **server.settings, **changed}
    return Source(SourceContext(settings, meter=meter or Meter()))


def read(opened: LeapSource | AthenaSource, name: str, window: Window) -> list[Record]:
    model = CRM.model(name)
    if isinstance(opened, AdaptsModels):
        model = opened.adapted(model)
    return [r for page in opened.pages(model, window, batch_size=25) for r in page.records]


@pytest.mark.parametrize("model", [m.name for m in CRM.models])
def test_leap_gives_every_record_once(server: SandboxServer, model: str) -> None:
    found = read(source(server), model, Window())
    assert len(found) == len({row["id"] for row in found})
    assert len(found) == server.sandboxes.counts()["salespro"][model]


def test_leads_are_the_jobs_of_the_lead_stages(server: SandboxServer) -> None:
    found = read(source(server), "leads", Window())
    assert {row["current_stage"]["name"] for row in found} == {"Lead"}


def test_an_unknown_lead_stage_is_named_with_the_known_ones(server: SandboxServer) -> None:
    with pytest.raises(PermanentError, match="its stages are: Lead, Estimate"):
        read(source(server, SALESPRO_LEAD_STAGES="Nope"), "leads", Window())


def test_leap_reads_only_the_days_that_changed(server: SandboxServer) -> None:
    server.sandboxes.tick()
    recent = Window(since=datetime.now(UTC) - timedelta(hours=1))
    assert 0 < len(read(source(server), "jobs", recent)) < ROWS / 2


def test_relations_are_unwrapped() -> None:
    assert unwrapped({"a": {"data": [1]}, "b": {"x": 1}}) == {"a": [1], "b": {"x": 1}}


def test_a_wrong_token_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="SALESPRO_API_TOKEN"):
        read(source(server, SALESPRO_API_TOKEN="wrong"), "jobs", Window())


def test_413_is_a_refused_request(server: SandboxServer) -> None:
    opened = source(server)
    assert isinstance(opened, LeapSource)
    with pytest.raises(PermanentError, match="as invalid"):
        opened._leap._http.get("/jobs", {"page": "first"})


@pytest.mark.parametrize(("model", "table"), [("customers", "customers"), ("leads", "jobs")])
def test_athena_gives_every_row(server: SandboxServer, model: str, table: str) -> None:
    found = read(source(server, **ATHENA), model, Window())
    assert len(found) == server.sandboxes.counts()["salespro"][table]


def test_athena_cuts_jobs_out_of_the_estimates(server: SandboxServer) -> None:
    opened = source(server, **ATHENA)
    jobs, proposals = (read(opened, name, Window()) for name in ("jobs", "proposals"))
    assert 0 < len(jobs) < len(proposals)


def test_athena_reads_only_what_changed(server: SandboxServer) -> None:
    server.sandboxes.tick()
    recent = Window(since=datetime.now(UTC) - timedelta(minutes=1))
    assert 0 < len(read(source(server, **ATHENA), "proposals", recent)) < ROWS / 2


def test_athena_knows_null_from_text(server: SandboxServer) -> None:
    assert {row["loan_name"] for row in read(source(server, **ATHENA), "jobs", Window())} == {None}


def test_athena_has_no_appointments(server: SandboxServer) -> None:
    with pytest.raises(NotOffered, match="SALESPRO_BACKEND=leap"):
        read(source(server, **ATHENA), "appointments", Window())


def test_athena_reads_users_from_their_export(server: SandboxServer, tmp_path: Path) -> None:
    export = tmp_path / "users.csv"
    export.write_text("objectId,username,isActive\na1,dana,true\n")
    opened = source(server, **ATHENA, SALESPRO_USERS_CSV=str(export))
    (user,) = read(opened, "users", Window())
    assert user == {"objectId": "a1", "username": "dana", "isActive": "true"}


def test_a_refused_key_is_named(server: SandboxServer) -> None:
    with pytest.raises(CredentialsError, match="SALESPRO_ACCESS_KEY_ID"):
        read(source(server, **ATHENA, SALESPRO_ACCESS_KEY_ID="other"), "jobs", Window())


def test_missing_settings_are_named_together(server: SandboxServer) -> None:
    without = {"SALESPRO_ATHENA_DATABASE": "", "SALESPRO_ATHENA_OUTPUT": ""}
    with pytest.raises(CredentialsError, match="SALESPRO_ATHENA_DATABASE, SALESPRO_ATHENA_OUTPUT"):
        source(server, **ATHENA, **without)


def test_an_unknown_back_end_is_refused(server: SandboxServer) -> None:
    with pytest.raises(PermanentError, match="must be leap or athena"):
        source(server, SALESPRO_BACKEND="excel")


def test_times_are_those_of_the_set_zone() -> None:
    denver = ZoneInfo("America/Denver")
    assert moment("2026-01-12 15:20:11", denver) == datetime(2026, 1, 12, 22, 20, 11, tzinfo=UTC)
    assert moment("soon", denver) == "soon"
