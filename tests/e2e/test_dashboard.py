"""The dashboard in a real browser, against a live pool with a real worker."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.e2e.live import Live
from tests.e2e.watch import Watch
from tests.integration.system import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

# Steps of a tenth of a second: longer than a test looks.
LONG = 6000


@pytest.fixture(autouse=True)
def empty_pool(live: Live) -> Any:
    yield
    live.call("cancel_all")
    wait_for(lambda: not live.call("get_stats")["active_count"], what="an empty pool")


def row(page: Page, task_id: str) -> Locator:
    return page.locator(f'tr[data-task="{task_id}"]')


def fill_slots(live: Live) -> list[str]:
    return [live.submit(label, steps=LONG) for label in (1, 2)]


def do(page: Page, name: str, **filled: str) -> None:
    """Fill the open dialog and press its button."""
    dialog = page.get_by_role("dialog")
    for label, text in filled.items():
        dialog.get_by_label(label.replace("_", " "), exact=False).first.fill(text)
    dialog.get_by_role("button", name=name, exact=True).click()
    expect(dialog).to_be_hidden()


def test_shows_what_runs_and_what_waits(page: Page, live: Live) -> None:
    running = fill_slots(live)
    waiting = live.submit(3, steps=LONG)
    page.goto("/")

    expect(page.locator("#pool-state")).to_have_text("Busy")
    for task_id in running:
        expect(row(page, task_id)).to_contain_text("rows")
        expect(row(page, task_id)).to_contain_text("celery@")
    expect(row(page, waiting)).to_contain_text("five9.contacts")
    expect(page).to_have_title("Busy 2/2 – Worker pool")
    page.get_by_text("Hosts", exact=True).click()
    told = re.compile(r"1 online, 2 of \d+ processes run a sync, release \d+\.\d+\.\d+")
    expect(page.locator(".hosts dd")).to_have_text(told)


def with_a_direct_run(route: Route) -> None:
    """What the server says while a schedule runs directly."""
    headers = {k: v for k, v in route.request.headers.items() if k != "if-none-match"}
    answer = route.fetch(headers=headers)
    run = {
        "history_id": 7, "crm_source": "genius", "sync_type": "leads", "execution": "direct",
        "started_at": datetime.now(UTC).isoformat(), "schedule_id": 1, "holder": "host/4711",
    }  # fmt: skip
    route.fulfill(response=answer, json={**answer.json(), "direct": [run], "direct_count": 1})


def test_a_sync_outside_the_pool_is_seen_to_run(page: Page, live: Live) -> None:
    page.route("**/api/dashboard?*", with_a_direct_run)
    page.goto("/")
    expect(page.locator("#direct tbody tr")).to_contain_text("directly, by a schedule")
    expect(page.get_by_role("link", name="genius.leads")).to_have_attribute("href", "/history/7/")
    expect(page.get_by_text("No sync is running.")).to_have_count(0)
    expect(page).to_have_title("Available 0/2 +1 – Worker pool")
    page.unroute_all(behavior="wait")


def test_an_empty_pool_says_what_to_do(page: Page, live: Live) -> None:
    page.goto("/")
    expect(page.get_by_text("No sync is running.")).to_be_visible()
    expect(page.get_by_text("Nothing waits")).to_be_visible()


def test_new_rows_leave_focus_and_text_selection_alone(page: Page, live: Live) -> None:
    fill_slots(live)
    first = live.submit(3, steps=LONG)
    page.goto("/")
    link = row(page, first).get_by_role("link")
    link.focus()

    second = live.submit(4, steps=LONG)

    expect(row(page, second)).to_be_visible()
    expect(link).to_be_focused()


def test_updates_can_be_paused_and_asked_for(page: Page, live: Live) -> None:
    page.goto("/")
    expect(page.get_by_text("No sync is running.")).to_be_visible()
    page.get_by_label("Update the page").select_option("0")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    task_id = live.submit(5, steps=LONG)
    page.wait_for_timeout(3000)  # longer than the interval that was switched off
    assert asked == []

    page.get_by_role("button", name="Update now").click()
    expect(row(page, task_id)).to_be_visible()


def test_an_unchanged_pool_is_answered_with_304(page: Page, live: Live) -> None:
    statuses: list[int] = []
    page.on(
        "response",
        lambda got: statuses.append(got.status) if "/api/dashboard?" in got.url else None,
    )
    page.goto("/")
    wait_for(lambda: page.wait_for_timeout(100) or 304 in statuses, what="a 304")


def test_a_killed_web_server_is_told_and_comes_back_without_a_reload(
    page: Page, live: Live, watch: Watch
) -> None:
    watch.expects_failed_requests = True
    page.goto("/")
    expect(page.locator("#pool-state")).to_have_text("Available")

    live.kill_web()
    expect(page.get_by_role("alert").filter(has_text="Connection lost")).to_be_visible()

    live.start_web()
    expect(page.get_by_role("alert").filter(has_text="Connection lost")).to_be_hidden()
    expect(page.locator("#pool-state")).to_have_text("Available")


def test_a_killed_redis_is_told_and_the_pool_recovers(page: Page, live: Live, watch: Watch) -> None:
    watch.expects_failed_requests = True
    page.goto("/")
    expect(page.locator("#pool-state")).to_have_text("Available")

    live.kill_redis()
    expect(page.locator("#pool-state")).to_have_text("Degraded")

    live.start_redis()
    expect(page.locator("#pool-state")).to_have_text("Available", timeout=90_000)
