"""Credentials are planted for all ten CRMs, syncs run well and badly through every entry point, and then
everything that was written is searched for them."""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ingestion.models import SyncHistory
from ingestion.services.breakers import breaker
from ingestion.services.runs.runner import RunHandle
from ingestion.services.security.secret_forms import pattern_of
from ingestion.services.worker.execute import TaskFailed, run_task
from ingestion.sync.common.errors import SyncError
from ingestion.sync.common.progress import SilentReporter
from sandbox.base import SandboxConf
from sandbox.crms import arrivy, callrail, gsheet, leadconduit, salesrabbit
from sandbox.crms.five9 import service as five9
from sandbox.crms.genius import GeniusSandbox
from sandbox.crms.hubspot import api as hubspot
from sandbox.crms.marketsharp import service as marketsharp
from sandbox.crms.salespro import athena, leap
from sandbox.faults.kinds import Fault
from sandbox.serving.registry import sandbox_classes
from sandbox.serving.server import SandboxServer
from tests.few_models import know_only, with_few_models
from tests.log_files import logging_everything
from tests.unit.pool_fixtures import Bench

pytestmark = pytest.mark.django_db

MARK = "Zq7mark9Xw"
OVER_HTTP = tuple(name for name in sandbox_classes() if name != "genius")


def mark(name: str) -> str:
    return f"{MARK}-{name}-0451"


# What each sandbox accepts: module, its constant, the planted value.
PLANTED: Mapping[str, tuple[tuple[Any, str, str], ...]] = {
    "arrivy": (
        (arrivy, "AUTH_KEY", mark("arrivy-key")),
        (arrivy, "AUTH_TOKEN", mark("arrivy-token")),
    ),
    "callrail": ((callrail, "API_KEY", mark("callrail")),),
    "five9": ((five9, "PASSWORD", mark("five9")),),
    "gsheet": ((gsheet, "TOKEN", mark("gsheet")),),  # handed out for the key that is made
    "hubspot": ((hubspot, "TOKEN", mark("hubspot")),),
    "leadconduit": ((leadconduit, "API_KEY", mark("leadconduit")),),
    "marketsharp": (
        (marketsharp, "USER_KEY", mark("marketsharp-user")),
        (marketsharp, "SECRET_KEY", base64.b64encode(mark("marketsharp").encode()).decode()),
    ),
    "salespro": (
        (leap, "TOKEN", mark("salespro")),
        (leap, "ACCESS_KEY_ID", mark("salespro-key")),
        (athena, "ACCESS_KEY_ID", mark("salespro-key")),
        (leap, "SECRET_ACCESS_KEY", mark("salespro-secret")),
        (athena, "SECRET_ACCESS_KEY", mark("salespro-secret")),
    ),
    "salesrabbit": ((salesrabbit, "TOKEN", mark("salesrabbit")),),
}


@dataclass
class Written:
    """Everything that runs have written, and the secrets that must not stand in it."""

    folder: Path
    secrets: tuple[str, ...]
    texts: dict[str, str] = field(default_factory=dict)

    def keep(self, place: str, text: str) -> None:
        self.texts[f"{place} {len(self.texts)}"] = text

    def leaks(self) -> list[str]:
        """Places that hold a secret, in plain, quoted or in base64."""
        form = re.compile("|".join(pattern_of(secret) for secret in (MARK, *self.secrets)))
        self.keep("database", database())
        for path in self.folder.rglob("*"):
            if path.is_file():
                self.keep(str(path), path.read_bytes().decode("latin-1"))
        return [place for place, text in self.texts.items() if form.search(text)]

    @property
    def places(self) -> str:
        return " ".join(self.texts)


def database() -> str:
    """All rows of all tables of the ledger."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            found += [f"{table}: {row!r}" for row in cursor.fetchall()]
    return "\n".join(found)


@pytest.fixture
def written(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    folder = tmp_path / "written"
    folder.mkdir()
    settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{folder / 'warehouse.sqlite3'}"
    settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(folder / "pipelines")
    settings.INGESTION_SYNC_HTTP_ATTEMPTS = 2
    settings.INGESTION_SYNC_HTTP_FIRST_DELAY_SECONDS = 0.01
    settings.INGESTION_SYNC_HTTP_TIMEOUT_SECONDS = 5
    with logging_everything(folder / "logs"):
        yield Written(folder, ())


def from_shell(written: Written, name: str) -> bool:
    """As an operator runs it; True for success."""
    try:
        call_command(name, "--full", "--json")
    except CommandError as failure:
        written.keep("exception of the command", trace(failure))
        return False
    return True


def by_call(written: Written, name: str) -> bool:
    """As a program runs it: errors leave as they are."""
    handle = RunHandle(SilentReporter())
    try:
        call_command(name, run=handle, full=True)
    except SyncError as failure:
        written.keep("exception of the sync", trace(failure))
        return False
    return True


def by_task(written: Written, name: str) -> bool:
    """As the pool runs it."""
    bench = Bench()
    _, crm, sync_type = name.split("_", 2)
    task_id = bench.pool.submit_task(crm, sync_type, {"full": True})
    try:
        run_task(bench.pool, task_id, attempt=1, worker="w1")
    except TaskFailed as failure:
        written.keep("exception of the task", trace(failure))
    # What failed must not keep the next one from being tried.
    breaker.close_by_hand(bench.pool, crm)
    task = bench.pool.get_task_status(task_id)
    assert task is not None
    written.keep("task", json.dumps(task.to_dict()))
    return task.status == "completed"


def trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


ENTRY_POINTS: tuple[Callable[[Written, str], bool], ...] = (from_shell, by_call, by_task)


def run_through_every_endpoint(written: Written, crm: str, *, succeeds: bool) -> None:
    for endpoint in ENTRY_POINTS:
        assert endpoint(written, f"sync_{crm}_all") is succeeds


@pytest.mark.parametrize("crm", OVER_HTTP)
def test_no_secret_of_a_crm_over_http_is_written(
    crm: str,
    written: Written,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for module, constant, value in PLANTED[crm]:
        monkeypatch.setattr(module, constant, value)
    know_only(with_few_models(crm), monkeypatch)
    with SandboxServer(tmp_path / "sandbox", names=(crm,), rows=12, port=0) as server:
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        written.secrets = planted_in(server, crm)
        run_through_every_endpoint(written, crm, succeeds=True)
        for fault in ("credentials", "errors:always", "html:always"):
            server.faults.set([Fault.parse(fault)])
            run_through_every_endpoint(written, crm, succeeds=False)

    written.keep("stdout and stderr", "".join(capfd.readouterr()))
    assert written.leaks() == []
    assert_everything_was_searched(written)


def planted_in(server: SandboxServer, crm: str) -> tuple[str, ...]:
    """The planted values, as the settings have them, and a line of Google's private key."""
    settings = server.settings
    if crm == "gsheet":
        key = json.loads(settings["GSHEET_SERVICE_ACCOUNT"])["private_key"]
        return (mark("gsheet"), key.splitlines()[5])
    values = {value for _, _, value in PLANTED[crm]}
    assert values <= set(settings.values())
    return tuple(values)


def assert_everything_was_searched(written: Written) -> None:
    """There was something to find a secret in."""
    assert SyncHistory.objects.filter(status="success").count() == len(ENTRY_POINTS)
    assert SyncHistory.objects.filter(status="failed").count() == 3 * len(ENTRY_POINTS)
    places = written.places
    for place in ("ingestion.log", "general.log", "warehouse", "database", "stdout"):
        assert place in places
    for place in ("exception of the command", "exception of the sync", "exception of the task"):
        assert place in places
    assert "refused the credentials" in " ".join(written.texts.values())


def test_no_secret_of_the_data_lake_is_written(
    written: Written, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, constant, value in PLANTED["salespro"]:
        monkeypatch.setattr(module, constant, value)
    know_only(with_few_models("salespro"), monkeypatch)
    with SandboxServer(tmp_path / "sandbox", names=("salespro",), rows=12, port=0) as server:
        settings.INGESTION_CRM_ENVIRONMENT = {**server.settings, "SALESPRO_BACKEND": "athena"}
        written.secrets = planted_in(server, "salespro")
        assert by_task(written, "sync_salespro_customers")
        for fault in ("credentials", "errors:always"):
            server.faults.set([Fault.parse(fault)])
            assert not by_task(written, "sync_salespro_customers")

    assert written.leaks() == []


@pytest.mark.postgres
def test_no_password_of_a_database_is_written(
    written: Written,
    tmp_path: Path,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    postgres_database: Callable[[], str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Of Genius, and of the warehouse; both are asked for a password that they do not need."""
    know_only(with_few_models("genius"), monkeypatch)
    genius, warehouse = (with_password(postgres_database(), name) for name in ("genius", "dwh"))
    GeniusSandbox(SandboxConf(tmp_path, rows=12), url=driver_of(genius))
    settings.INGESTION_WAREHOUSE_URL = warehouse
    settings.INGESTION_CRM_ENVIRONMENT = {"GENIUS_DATABASE_URL": genius}
    written.secrets = (mark("genius"), mark("dwh"))
    run_through_every_endpoint(written, "genius", succeeds=True)
    for wrong in (genius.replace("postgres:", "nobody-there:"), re.sub(r":\d+/", ":1/", genius)):
        settings.INGESTION_CRM_ENVIRONMENT = {"GENIUS_DATABASE_URL": wrong}
        run_through_every_endpoint(written, "genius", succeeds=False)
    settings.INGESTION_CRM_ENVIRONMENT = {"GENIUS_DATABASE_URL": genius}
    settings.INGESTION_WAREHOUSE_URL = re.sub(r":\d+/", ":1/", warehouse)
    run_through_every_endpoint(written, "genius", succeeds=False)

    written.keep("stdout and stderr", "".join(capfd.readouterr()))
    assert written.leaks() == []


def with_password(url: str, name: str) -> str:
    return re.sub(r"://(\w+)@", rf"://\1:{mark(name)}@", url)


def driver_of(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


@pytest.mark.parametrize(
    "text",
    [
        mark("arrivy-key"),
        base64.b64encode(f"user:{mark('five9')}".encode()).decode(),
        f"Bearer {mark('hubspot')}",
    ],
)
def test_the_search_finds_what_is_there(written: Written, text: str) -> None:
    (written.folder / "leak.bin").write_bytes(b"\0\1" + text.encode())
    assert [Path(place.split()[0]).name for place in written.leaks()] == ["leak.bin"]
