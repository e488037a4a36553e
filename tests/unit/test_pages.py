"""The pages: who reads what, filters, hostile texts, secrets, and that nothing stands inline."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from ingestion.models import SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.crms import dataset_columns
from ingestion.services.crms.crm_overview import overview
from ingestion.services.security import audit
from ingestion.sync.common.registry import crm
from ingestion.sync.common.run import ModelResult
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.pipeline import run_model
from ingestion.templatetags import page_words
from tests.fake_crm import FakeSource
from tests.sync_world import World
from tests.unit.people import browser, forget_answers, member
from tests.unit.pool_shell import answers, pool_in_memory

HOSTILE = "<script>alert(1)</script>"
PAGES = (
    "/", "/history/", "/crms/", "/crms/hubspot/", "/crms/hubspot/deals/", "/audit/", "/settings/", "/password/",
    "/schedules/", "/automation/", "/reports/",
)  # fmt: skip
ROOT = Path(__file__).parents[2]


@pytest.fixture
def viewer(db: None) -> Client:
    forget_answers()
    return browser(member("Viewers"))


def ended(sync_type: str = "contacts", **fields: Any) -> SyncHistory:
    """A run of HubSpot that ended a minute ago."""
    now = timezone.now()
    given = {"status": "success", "start_time": now - timedelta(minutes=2), "end_time": now}
    return SyncHistory.objects.create(
        crm_source="hubspot", sync_type=sync_type, **{**given, **fields}
    )


def text(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.mark.parametrize("path", PAGES)
def test_a_page_holds_no_script_or_style_of_its_own(viewer: Client, path: str) -> None:
    page = text(viewer.get(path))

    assert not re.search(r"<script(?![^>]*(\bsrc=|application/json))", page)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:|(src|href)=\"https?://", page)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_for_those_who_are_logged_in(db: None, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/login/")


def test_every_script_is_small() -> None:
    scripts = list((ROOT / "static" / "ingestion" / "js").rglob("*.js"))
    assert scripts
    assert not [s.name for s in scripts if len(s.read_text().splitlines()) >= 200]


def test_no_script_makes_markup_of_data() -> None:
    for script in (ROOT / "static" / "ingestion" / "js").rglob("*.js"):
        assert not re.search(
            r"innerHTML|insertAdjacentHTML|document\.write|eval\(", script.read_text()
        )


class TestHistory:
    def test_shows_hostile_texts_as_texts(self, viewer: Client) -> None:
        run = ended(sync_type=HOSTILE, status="failed", error_message=HOSTILE)

        for path in ("/history/", f"/history/{run.pk}/", "/crms/hubspot/"):
            page = text(viewer.get(path))
            assert "&lt;script&gt;alert(1)" in page
            assert HOSTILE not in page

    def test_finds_by_filter_and_says_when_there_is_none(self, viewer: Client) -> None:
        run = ended(sync_type="deals", status="failed", error_message="quota used up")
        ended(sync_type="contacts")

        found = text(viewer.get("/history/?status=failed&text=quota"))
        assert f"/history/{run.pk}/" in found
        assert "hubspot.contacts" not in found
        assert "No run fits these filters" in text(viewer.get("/history/?crm_source=five9"))

    def test_a_day_is_a_day_of_the_reader(self, viewer: Client) -> None:
        at = timezone.now().replace(year=2026, month=3, day=2, hour=23, minute=30)
        ended(start_time=at, end_time=at)

        # 23:30 UTC on the second is the third in Berlin.
        assert "hubspot.contacts" in text(
            viewer.get("/history/?since=2026-03-03&zone=Europe/Berlin")
        )
        assert "hubspot.contacts" not in text(viewer.get("/history/?since=2026-03-03&zone=UTC"))
        assert viewer.get("/history/?since=2026-03-03&zone=../etc/passwd").status_code == 200

    def test_goes_on_with_older_runs(self, viewer: Client) -> None:
        for _ in range(51):
            ended()
        page = text(viewer.get("/history/"))
        older = re.search(r'href="(\?[^"]*cursor=[^"]+)"', page)
        assert older
        assert text(viewer.get(f"/history/{older[1]}")).count('data-label="Status"') == 1

    def test_gives_the_table_alone_to_its_own_script(self, viewer: Client) -> None:
        ended()
        part = text(viewer.get("/history/", headers={"HX-Request": "true"}))
        assert "hubspot.contacts" in part
        assert "<html" not in part

    def test_one_run_tells_its_steps_and_its_trail(self, viewer: Client) -> None:
        model = {
            "model": "contacts",
            "processed": 7,
            "seconds": {"extract": 1.5},
            "requests": 12,
            "schema_changes": ["column age added"],
            "watermark": "2026-01-01",
        }
        run = ended(worker_pool_task_id="task-1", performance_metrics={"models": [model]})
        audit.record("submit", change=ChangeRequest(by="ann", reason="month end"), target="task-1")

        page = text(viewer.get(f"/history/{run.pk}/"))

        for told in ("extract 1.5 s", "column age added", "2026-01-01", "ann", "month end"):
            assert told in page
        # Of the two minutes: a second and a half by name, the rest was outside.
        assert re.search(r'class="step-extract" x="0.000" y="0" width="1.250"', page)
        assert re.search(r'class="step-outside" x="1.250" y="0" width="98.750"', page)
        assert viewer.get("/history/999999/").status_code == 404


class TestCrms:
    def test_tell_last_success_trend_and_what_is_missing(self, viewer: Client) -> None:
        for rows in (10, 30):
            ended(records_processed=rows)
        page = text(viewer.get("/crms/hubspot/"))
        assert "HUBSPOT_ACCESS_TOKEN" in page
        assert "Rows of the last 2 runs: 10, 30" in page
        assert viewer.get("/crms/nosuch/").status_code == 404

    def test_a_model_is_judged_by_its_own_runs(self, db: None) -> None:
        ended(sync_type="contacts", records_processed=5)
        ended(sync_type="deals", status="failed")
        models = {model.name: model for model in overview("hubspot").models}
        assert (models["contacts"].freshness, models["contacts"].last_rows) == ("no_promise", 5)
        assert (models["deals"].freshness, models["deals"].last_status) == ("no_promise", "failed")


class TestRecords:
    def test_the_audit_is_searched_and_paged(self, viewer: Client) -> None:
        for number in range(60):
            audit.record(
                "submit", change=ChangeRequest(by="ann", reason=HOSTILE), target=f"task-{number}"
            )
        audit.record(
            "limit", change=ChangeRequest(by="bob"), target="pool", before={"max_workers": 2}
        )

        page = text(viewer.get("/audit/"))
        assert HOSTILE not in page
        assert "Older records" in page
        found = text(viewer.get("/audit/?action=limit&actor=bo"))
        assert "max_workers" in found
        assert "task-5" not in found

    def test_settings_show_values_and_sources_and_no_secret(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "pat-na1-very-secret")
        monkeypatch.setenv("WORKER_POOL_STALE_MINUTES", "45")

        page = text(viewer.get("/settings/"))

        assert "very-secret" not in page
        assert "***" in page
        assert re.search(r"WORKER_POOL_STALE_MINUTES</span>.*?45.*?environment", page, re.DOTALL)

    def test_settings_show_what_operators_have_set(self, viewer: Client) -> None:
        with pool_in_memory() as pool:
            assert "Nothing: what is set below is in force." in text(viewer.get("/settings/"))
            pool.set_max_workers(5, change=ChangeRequest(by="ann", reason=HOSTILE))
            pool.set_crm_limit("hubspot", 1, change=ChangeRequest(by="bob", reason="quota"))
            pool.pause(
                "gsheet", change=ChangeRequest(by="eve", reason="until 2026-11-22 03:58:12 UTC")
            )
            page = text(viewer.get("/settings/"))

        assert HOSTILE not in page
        for told in ("ann", "bob", "eve", "Syncs of hubspot at once", "quota", "2 (default)"):
            assert told in page
        assert re.search(r"MAX_SYNC_WORKERS</span>.*?<b[^>]*>5</b>.*?ann", page, re.DOTALL)
        assert '<time datetime="2026-11-22T03:58:12+00:00" data-zoned>' in page

    def test_settings_are_shown_while_the_pool_is_away(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pool_in_memory() as pool:
            monkeypatch.setattr(pool, "controls", answers(PoolUnavailable("Redis is gone.")))
            page = text(viewer.get("/settings/"))
        assert "what operators have set is not known now" in page
        assert "WORKER_POOL_STALE_MINUTES" in page


class TestErrorPages:
    def test_name_the_way_on(self, viewer: Client) -> None:
        page = text(viewer.get("/nowhere/"))
        assert "There is no such page" in page
        assert 'href="/"' in page

    def test_an_expired_form_is_explained(self, db: None) -> None:
        answer = Client(enforce_csrf_checks=True).post("/login/", {"username": "a"})
        assert answer.status_code == 403
        assert "form has expired" in text(answer)

    def test_a_broken_page_says_where_to_look(
        self, viewer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> None:
            raise RuntimeError(HOSTILE)

        monkeypatch.setattr("ingestion.views.crms.overviews", broken)
        viewer.raise_request_exception = False
        answer = viewer.get("/crms/")
        assert answer.status_code == 500
        assert "Something broke" in text(answer)
        assert HOSTILE not in text(answer)


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(None, "–"), (0, "0 s"), (59.6, "1 min 00 s"), (3600, "1 h 00 min"), (90000, "1 d 1 h")],
    )
    def test_of_a_span(self, seconds: float | None, said: str) -> None:
        assert page_words.span(seconds) == said

    def test_of_a_time_carry_the_zone(self) -> None:
        told = page_words.moment("2026-01-02T03:04:05+01:00")
        assert told == '<time datetime="2026-01-02T02:04:05+00:00">2026-01-02 02:04:05 UTC</time>'

    def test_of_times_within_a_sentence(self) -> None:
        told = page_words.moments("<b> since 2026-11-22 03:58:12 UTC, until 2026-11-22 04:00 UTC.")
        assert told == (
            '&lt;b&gt; since <time datetime="2026-11-22T03:58:12+00:00" data-zoned>2026-11-22 03:58:12'
            ' UTC</time>, until <time datetime="2026-11-22T04:00:00+00:00" data-zoned>2026-11-22 04:00'
            " UTC</time>."
        )
        assert page_words.moments("at 2026-13-41 27:61 UTC") == "at 2026-13-41 27:61 UTC"
        assert page_words.moments(None) == ""

    def test_a_trend_stays_in_its_box(self) -> None:
        points = [p.split(",") for p in page_words.trend([0, 5, 10]).split()]
        assert [float(x) for x, _ in points] == [0, 45, 90]
        assert all(0 <= float(y) <= page_words.TREND_HEIGHT for _, y in points)
        assert page_words.trend([3]) == ""


class TestDatasets:
    @pytest.fixture(autouse=True)
    def warehouse(self, settings: Any, tmp_path: Path) -> World:
        dataset_columns.forget()
        settings.INGESTION_WAREHOUSE_URL = f"sqlite:///{tmp_path / 'warehouse.sqlite3'}"
        warehouse = Warehouse(settings.INGESTION_WAREHOUSE_URL)
        world = World(
            FakeSource(), settings.INGESTION_WAREHOUSE_URL, tmp_path / "pipelines", warehouse
        )
        run = world.prepared(Model("contacts"))
        records = [
            {"id": 1, "Amount %": Decimal("0.5"), HOSTILE: "x"},
            {"id": 2, "Amount %": Decimal("12345678901234567890.5"), HOSTILE: "x"},
            {"id": None},
        ]
        world.source.records["contacts"] = records
        run_model(replace(run, crm=crm("hubspot")), ModelResult("contacts"))
        warehouse.close()
        return world

    def test_show_the_field_and_the_type_of_each_column(self, viewer: Client) -> None:
        page = text(viewer.get("/crms/hubspot/contacts/"))
        assert re.search(
            r"<span class=\"cut\">Amount %</span>.*?amountx</span>.*?decimal "
            r'<span class="badge is-partial">text in 1 rows',
            page,
            re.DOTALL,
        )
        assert "Rejected records: 1 no_key" in page
        assert "manage.py manage_runs replay hubspot contacts" in page
        assert HOSTILE not in page
        assert escape(HOSTILE) in page

    def test_a_model_that_was_never_loaded_says_so(self, viewer: Client) -> None:
        assert "No run has loaded deals yet" in text(viewer.get("/crms/hubspot/deals/"))
        assert viewer.get("/crms/hubspot/nosuch/").status_code == 404
        assert viewer.get("/crms/nosuch/contacts/").status_code == 404

    def test_a_warehouse_that_is_away_is_told(self, viewer: Client, settings: Any) -> None:
        settings.INGESTION_WAREHOUSE_URL = "postgresql://nobody@127.0.0.1:1/none"
        assert "The warehouse cannot be read now." in text(viewer.get("/crms/hubspot/deals/"))
