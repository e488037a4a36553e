"""Direct runs of schedules: beat's own message, a Celery worker, a slow CRM, and all who look."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from redis import Redis

from ingestion.services.system.embedded_redis import NoRedisServer
from sandbox.faults.kinds import Fault
from sandbox.serving.server import SandboxServer
from tests.e2e.conftest import logged_in, page_of
from tests.e2e.live import Live, live_system
from tests.e2e.watch import Watch
from tests.integration.system import wait_for
from tests.missing import cannot_have

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

ROWS = 20
EVERY_SECONDS = 10
# With several requests a run lasts for longer than any look at it.
SLOW_SECONDS = 4.0
TOKEN = "whoever may count runs"
RESULTS = 2  # the number of Redis's database for Celery's results


@pytest.fixture(scope="module")
def hubspot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    folder = tmp_path_factory.mktemp("hubspot")
    with SandboxServer(folder, names=("hubspot",), rows=ROWS, port=0) as server:
        server.faults.slow_seconds = SLOW_SECONDS
        yield server


@pytest.fixture(scope="module")
def live(hubspot: SandboxServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("direct")
    environment = {
        **hubspot.settings,
        "WAREHOUSE_URL": f"sqlite:///{folder / 'warehouse.sqlite3'}",
        "METRICS_TOKEN": TOKEN,
    }
    try:
        with live_system(folder, result_database=RESULTS, **environment) as system:
            system.start_beat()
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


@pytest.fixture(scope="module")
def login(live: Live, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logged_in(live, chromium, tmp_path_factory.mktemp("login"))


@pytest.fixture
def page(live: Live, chromium: Browser, login: Path, watch: Watch) -> Iterator[Page]:
    yield from page_of(live, chromium, login, watch)


@pytest.fixture
def schedule_id(live: Live) -> Iterator[int]:
    """It runs when beat says so, and only then."""
    made: int = live.call(
        "add_schedule",
        {
            "name": "contacts",
            "crm_source": "hubspot",
            "model_name": "contacts",
            "execution": "direct",
            "every": EVERY_SECONDS,
            "period": "seconds",
        },
    )
    yield made
    live.call("delete_schedule", made)


def last_run(live: Live, schedule_id: int, *, status: str) -> dict[str, Any]:
    """Its last run, once it has that status."""

    def look() -> dict[str, Any] | None:
        found = live.call("schedule", schedule_id)["last_run"]
        return found if found and found["status"] == status else None

    return wait_for(look, what=f"a {status} run of the schedule")


def metric(live: Live) -> str:
    """The lines of the runs outside the pool."""
    asked = urllib.request.Request(
        f"{live.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(asked, timeout=10) as answer:
        text: str = answer.read().decode()
    return "\n".join(line for line in text.splitlines() if "worker_pool_direct_runs{" in line)


def direct(live: Live) -> list[dict[str, Any]]:
    """As a shell sees them."""
    found: list[dict[str, Any]] = json.loads(
        live.manage("manage_worker_pool", "status", "--json").stdout
    )["direct"]
    return found


def celery_states(live: Live) -> list[dict[str, Any]]:
    """What Celery's result backend keeps."""
    results = Redis.from_url(live.redis.url(RESULTS))
    return [json.loads(results.get(key)) for key in results.scan_iter("celery-task-meta-*")]


def test_a_direct_run_is_seen_everywhere_while_it_runs(
    page: Page, live: Live, hubspot: SandboxServer, schedule_id: int
) -> None:
    hubspot.faults.set([Fault.parse("slow:always=hubspot")])
    run = last_run(live, schedule_id, status="running")

    (in_shell,) = direct(live)
    assert (in_shell["history_id"], in_shell["schedule_id"]) == (run["history_id"], schedule_id)
    assert (in_shell["crm_source"], in_shell["execution"]) == ("hubspot", "direct")
    assert 'crm="hubspot",type="contacts"' in metric(live)
    in_json = page.request.get("/api/dashboard").json()
    assert [one["history_id"] for one in in_json["direct"]] == [run["history_id"]]
    assert (in_json["direct_count"], in_json["active_count"]) == (1, 0)
    page.goto("/")
    expect(page.locator("#direct tbody tr")).to_contain_text("directly, by a schedule")
    page.goto("/history/")
    shown = page.locator("tbody tr").filter(
        has=page.locator(f'a[href="/history/{run["history_id"]}/"]')
    )
    expect(shown).to_contain_text("Running")
    page.goto(f"/schedules/{schedule_id}/")
    expect(page.get_by_role("link", name="Running")).to_be_visible()
    assert last_run(live, schedule_id, status="running")["history_id"] == run["history_id"]

    hubspot.faults.set([])
    ended = last_run(live, schedule_id, status="success")
    assert ended["history_id"] == run["history_id"]
    assert ended["records_processed"] > 0
    page.goto("/history/")
    expect(shown).to_contain_text("Success")


def test_a_failed_direct_run_has_failed_everywhere(
    page: Page, live: Live, hubspot: SandboxServer, schedule_id: int
) -> None:
    hubspot.faults.set([Fault.parse("credentials:always=hubspot")])
    run = last_run(live, schedule_id, status="failed")
    live.call("switch_off", schedule_id)
    wait_for(lambda: celery_states(live), what="Celery's word")
    told = celery_states(live)
    assert {one["status"] for one in told} == {"FAILURE"}
    assert "401" in str(told[0]["result"])
    assert hubspot.settings["HUBSPOT_ACCESS_TOKEN"] not in str(told)

    shown = page.request.get(f"/api/history/{run['history_id']}").json()
    assert (shown["status"], shown["error_class"]) == ("failed", "credentials")
    assert "HUBSPOT_ACCESS_TOKEN" in shown["error_message"]
    page.goto(f"/history/{run['history_id']}/")
    expect(page.locator("span.badge.is-failed")).to_have_text("Failed")
    expect(page.get_by_role("note")).to_contain_text("refused the credentials")
    page.goto(f"/schedules/{schedule_id}/")
    expect(page.locator("tbody tr").last).to_contain_text("refused the credentials")
    wait_for(lambda: not direct(live), what="the end of its last run")
    assert metric(live) == ""
