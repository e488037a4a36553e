"""What record_crm writes, and what a sync makes of it where crm_sandbox --replay plays it."""

from __future__ import annotations

import json
import re
import stat
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.services.runs.recording import record
from ingestion.services.runs.runner import RunHandle, run_sync
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crms
from ingestion.sync.common.run import SyncOptions
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.tables.stored import StoredTable
from ingestion.sync.recording import made_up
from ingestion.sync.recording.bundle import Bundle, read_bundle
from ingestion.sync.recording.walking import values_of
from sandbox.serving.replay import ReplayServer
from sandbox.serving.server import SandboxServer
from tests.crms.world import sandboxes

RECORDED = [c.name for c in crms().values() if c.connected and not c.not_recorded]
ROWS = 24
BATCH_SIZE = 10  # several pages of each list
# Columns whose values are people's, whichever CRM it is.
OF_PEOPLE = re.compile(
    r"(first|last|full|customer|business|^)_?name|e_?mail|phone|number\d|line1|address|city|zip|"
    r"postal|^note|street",
    re.IGNORECASE,
)
MOST_MODELS = 8  # of a CRM with forty

Rows = list[dict[str, Any]]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("unlimited")]


@pytest.fixture(autouse=True)
def _made_up_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a random key a short name could become another one of the sandbox's by chance."""
    monkeypatch.setattr(made_up.secrets, "token_bytes", lambda count: b"k" * count)


@pytest.fixture
def sandbox(
    request: pytest.FixtureRequest, tmp_path: Path, settings: Any
) -> Iterator[SandboxServer]:
    """Of the CRM that the test names."""
    with sandboxes(request.param, folder=tmp_path / "sandbox", rows=ROWS) as server:
        settings.INGESTION_CRM_ENVIRONMENT = server.settings
        settings.INGESTION_WAREHOUSE_PIPELINES_DIR = str(tmp_path / "pipelines")
        yield server


def each(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sandbox", names, indirect=True)


def name_of(server: SandboxServer) -> str:
    (name,) = server.sandboxes.by_name
    return name


def recorded(crm: str, model: str) -> Bundle:
    """As it is read from its file."""
    options = SyncOptions(mode="full", batch_size=BATCH_SIZE)
    found = record(crm, model, options, SilentReporter())
    assert found.failure is None
    assert found.bundle.outcome.startswith("success")
    return Bundle.from_text(found.text)


def loaded(bundle: Bundle, url: str, settings: Any) -> Rows:
    """The rows that a run as it was recorded makes of an empty warehouse."""
    settings.INGESTION_WAREHOUSE_URL = url
    options = SyncOptions(mode="full", batch_size=BATCH_SIZE)
    handle = RunHandle(SilentReporter(), opens_history=False)
    assert run_sync(bundle.crm, bundle.model, options, handle).status == "success"
    with closing(Warehouse(url)) as warehouse:
        return [
            {n: v for n, v in row.items() if not n.startswith("_")}
            for row in StoredTable.read(warehouse.dataset(bundle.crm), bundle.model).rows()
        ]


def shape(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, date | datetime):
        return type(value).__name__
    if isinstance(value, str):
        return re.sub(
            r"[^\W\d_]", lambda c: "A" if c[0].isupper() else "a", re.sub(r"\d", "9", value)
        )
    return type(value).__name__


def shapes(rows: Rows) -> Counter[Any]:
    hashes = ("row_key",)  # of the row's content
    return Counter(
        tuple(sorted((n, str(shape(v))) for n, v in row.items() if n not in hashes)) for row in rows
    )


def people_in(rows: Rows) -> set[str]:
    """Texts and numbers that are long enough not to stand anywhere by chance."""
    values = {str(v) for row in rows for n, v in row.items() if v and OF_PEOPLE.search(n)}
    return {v for v in values if len(v) > 3 and (not v.isdigit() or len(v) > 5)}


@each(*RECORDED)
def test_a_replay_loads_as_many_rows_of_the_same_shape(
    sandbox: SandboxServer, tmp_path: Path, settings: Any
) -> None:
    crm = crms()[name_of(sandbox)]
    models = [model.name for model in crm.models[:MOST_MODELS]]
    rows = [replayed(sandbox, model, tmp_path, settings) for model in models]
    assert sum(rows) >= ROWS


@each("salespro")
@pytest.mark.parametrize("model", ["customers", "jobs", "leads"])
def test_a_replay_of_a_data_lake_does_as_well(
    sandbox: SandboxServer, model: str, tmp_path: Path, settings: Any
) -> None:
    assert replayed(sandbox, model, tmp_path, settings, SALESPRO_BACKEND="athena")


@each("gsheet")
def test_dates_and_their_numbers_still_belong_together(
    sandbox: SandboxServer, tmp_path: Path, settings: Any
) -> None:
    bundle = recorded("gsheet", "leads")
    with ReplayServer(bundle, tmp_path / "replay", port=0) as replay:
        theirs = loaded(bundle, f"sqlite:///{tmp_path}/theirs.db", settings)
        settings.INGESTION_CRM_ENVIRONMENT = replay.settings
        ours = loaded(bundle, f"sqlite:///{tmp_path}/ours.db", settings)

    def dates(rows: Rows) -> Counter[tuple[str, str]]:
        return Counter(
            (name, str(value))
            for row in rows
            for name, value in row.items()
            if isinstance(value, date)
        )

    assert dates(ours) == dates(theirs)
    assert len({name for name, _ in dates(ours)}) == 3


@each("five9")
def test_a_replay_of_a_divided_list_does_as_well(
    sandbox: SandboxServer, tmp_path: Path, settings: Any
) -> None:
    """Where contacts are found by the first and the last digits of their numbers."""
    limit = 10
    sandbox.sandboxes.by_name["five9"].behavior.record_limit = limit  # type: ignore[attr-defined]
    assert replayed(sandbox, "contacts", tmp_path, settings, FIVE9_RECORD_LIMIT=str(limit)) == ROWS


def replayed(sandbox: SandboxServer, model: str, folder: Path, settings: Any, **others: str) -> int:
    """How many rows a sync loads of the recording, after they were compared with those of the CRM."""
    crm = name_of(sandbox)
    settings.INGESTION_CRM_ENVIRONMENT = {**sandbox.settings, **others}
    bundle = recorded(crm, model)
    theirs = loaded(bundle, f"sqlite:///{folder}/{model}-theirs.db", settings)
    lacking: list[str] = []
    with ReplayServer(bundle, folder / model, port=0, tell=lacking.append) as replay:
        settings.INGESTION_CRM_ENVIRONMENT = replay.settings
        ours = loaded(bundle, f"sqlite:///{folder}/{model}-ours.db", settings)
    assert lacking == []
    assert len(ours) == len(theirs)
    assert shapes(ours) == shapes(theirs), model
    assert_nobody_is_in(bundle, people_in(theirs), sandbox)
    return len(ours)


def assert_nobody_is_in(bundle: Bundle, people: set[str], sandbox: SandboxServer) -> None:
    text = bundle.to_text()
    bodies = (part for e in bundle.exchanges for part in (e.asked.body, e.answered.body))
    plain = "\n".join(value for body in bodies for _, value, *_ in values_of(body))
    for value in people:
        # America/Denver is a zone, and stays.
        found = re.compile(rf"(?<![\w/]){re.escape(value)}(?!\w)")
        assert not found.search(text), value
        assert not found.search(plain), value
    secret = [s.name for s in crms()[bundle.crm].settings if s.secret]
    for name in secret:
        value = sandbox.settings.get(name, "")
        for part in json.loads(value).values() if value.startswith("{") else [value]:
            assert not part or part.startswith("http") or part not in text, name


@each("hubspot")
def test_the_command_shows_what_it_would_write_and_writes_it_when_told(
    sandbox: SandboxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle.json"
    words = ("record_crm", "hubspot", "contacts", "--out", str(out), "--no-progress")
    with pytest.raises(CommandError, match="add --yes"):
        call_command(*words)
    assert not out.exists()
    shown = capsys.readouterr().out
    assert "email" in shown
    assert "These become made-up ones" in shown

    call_command(*words, "--yes")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert read_bundle(out).model == "contacts"

    with pytest.raises(CommandError, match="exists already"):
        call_command(*words, "--yes")


@each("hubspot")
def test_a_failed_run_is_recorded_too(sandbox: SandboxServer, settings: Any) -> None:
    settings.INGESTION_CRM_ENVIRONMENT = {
        **sandbox.settings,
        "HUBSPOT_ACCESS_TOKEN": "not-the-right-one",
    }
    found = record("hubspot", "contacts", SyncOptions(mode="full"), SilentReporter())
    assert found.failure
    assert "HUBSPOT_ACCESS_TOKEN" in found.failure
    assert found.bundle.outcome.startswith("failed (CredentialsError)")
    assert [e.answered.status for e in found.bundle.exchanges] == [401]
    assert "not-the-right-one" not in found.text


def test_a_database_says_why_it_cannot_be_recorded(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="MySQL database"):
        call_command("record_crm", "genius", "users", "--out", str(tmp_path / "x"), "--yes")


@each("salesrabbit")
def test_a_request_that_was_not_recorded_is_named(
    sandbox: SandboxServer, tmp_path: Path, settings: Any
) -> None:
    bundle, lacking = recorded("salesrabbit", "leads"), list[str]()
    with ReplayServer(bundle, tmp_path / "replay", port=0, tell=lacking.append) as replay:
        settings.INGESTION_CRM_ENVIRONMENT = replay.settings
        found = record("salesrabbit", "users", SyncOptions(mode="full"), SilentReporter())
    assert found.failure
    assert lacking
    assert all("no answer for GET" in line for line in lacking)


@each("salesrabbit")
def test_a_damaged_file_is_named_in_a_sentence(sandbox: SandboxServer, tmp_path: Path) -> None:
    whole = recorded("salesrabbit", "leads").to_text()
    content = json.loads(whole)
    first = content["exchanges"][0]
    damages = [
        "",
        "[]",
        "{}",
        *(whole[: len(whole) * part // 8] for part in range(1, 8)),
        json.dumps({**content, "version": 2}),
        json.dumps({**content, "format": "har"}),
        json.dumps({**content, "exchanges": None}),
        json.dumps({**content, "exchanges": [{**first, "asked": {}}]}),
        json.dumps(
            {**content, "exchanges": [{**first, "asked": {**first["asked"], "query": [1]}}]}
        ),
        json.dumps(
            {**content, "exchanges": [{**first, "answered": {**first["answered"], "status": "2"}}]}
        ),
        json.dumps(
            {
                **content,
                "exchanges": [{**first, "answered": {**first["answered"], "encoding": "x"}}],
            }
        ),
        json.dumps({**content, "settings": ["A=1"]}),
        json.dumps({**content, "crm": "nobody"}),
    ]
    path = tmp_path / "bundle.json"
    for damage in damages:
        path.write_text(damage)
        with pytest.raises(CommandError, match=r"bundle\.json|nobody"):
            call_command("crm_sandbox", "--replay", str(path), "--data-dir", str(tmp_path / "data"))
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match=r"bundle\.json|nobody"):
        call_command("crm_sandbox", "--replay", str(path))
    with pytest.raises(CommandError, match="No such file"):
        call_command("crm_sandbox", "--replay", str(tmp_path / "none.json"))
