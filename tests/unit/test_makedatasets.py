"""docs/datasets.md tells what the CRM folders hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from data_warehouse.environment import BASE_DIR
from ingestion.services.crms import dataset_docs
from ingestion.sync.common.registry import crms
from ingestion.sync.common.source import Crm, Model, Setting
from tests.fake_crm import FakeDatabase, FakeSource

ACME = Crm(
    "acme",
    "Acme",
    (
        Model("leads", cursor="updatedAt", incremental="cursor", overlap_seconds=90),
        Model("calls", key=("callId", "leg"), incremental="run_start", deletions="told"),
        Model("users", note="no filter | at all"),
        Model("links", incremental="run_start", overlap_seconds=86_400, deletions="never"),
    ),
    "all",
    settings=(
        Setting("ACME_TOKEN", "A token.", secret=True, required=True),
        Setting("ACME_ZONE", "A zone.", default="UTC"),
    ),
)


def test_the_committed_page_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("makedatasets", check=True)
    assert "up to date" in capsys.readouterr().out


def test_every_table_and_setting_stands_in_it() -> None:
    page = (BASE_DIR / dataset_docs.FILE).read_text()
    for name, crm in crms().items():
        section = page.partition(f"(`{name}`)\n")[2].partition("\n## ")[0]
        for word in (*(m.name for m in crm.models), *(s.name for s in crm.settings)):
            assert section.count(f"| `{word}` |") == 1


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(dataset_docs, "load_source", lambda name: FakeSource)
    return dataset_docs.text([ACME]).splitlines()


def test_a_row_tells_how_a_table_is_read(lines: list[str]) -> None:
    late = "marked by `--full` at the latest"
    for row in (
        f"| `leads` | `id` | `updated_at` | from 90 seconds before the highest cursor on | {late} |  |  |",
        "| `calls` | `call_id`, `leg` |  | what changed since the last run began"
        " | told by the CRM |  |  |",
        "| `users` | `id` |  | whole, in every run | marked by every run |  | no filter \\| at all |",
        "| `links` | `id` |  | what changed since 1 day before the last run began"
        " | none, unless noted |  |  |",
    ):
        assert row in lines


def test_a_row_tells_the_schedule_of_the_standard_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset_docs, "load_source", lambda name: FakeSource)
    hubspot = Crm("hubspot", "HubSpot", (Model("deals"), Model("quotes")), "all")
    deals, quotes = [x for x in dataset_docs.text([hubspot]).splitlines() if x[:3] == "| `"]
    assert "| every 15 minutes |" in deals
    assert "every 1" not in quotes
    marketsharp = Crm("marketsharp", "MarketSharp", (Model("leads"),), "all")
    assert "| every 2 hours |" in dataset_docs.text([marketsharp])


def test_a_row_tells_what_a_setting_is(lines: list[str]) -> None:
    assert "| `ACME_TOKEN` | yes, secret |  | A token. |" in lines
    assert "| `ACME_ZONE` |  | `UTC` | A zone. |" in lines


def test_a_source_that_lists_keys_finds_deletions_in_every_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dataset_docs, "load_source", lambda name: FakeDatabase)
    [leads] = [x for x in dataset_docs.text([ACME]).splitlines() if x.startswith("| `leads`")]
    assert "marked by every run" in leads


def test_check_finds_a_stale_page_and_writing_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match="makedatasets") as caught:
        call_command("makedatasets", check=True)
    assert caught.value.returncode == 1
    assert not (tmp_path / dataset_docs.FILE).exists()

    call_command("makedatasets")
    call_command("makedatasets", check=True)
    (tmp_path / dataset_docs.FILE).write_text("old")
    with pytest.raises(CommandError, match="stale"):
        call_command("makedatasets", check=True)
