"""A failed sync as its operator lives through it: from the notice's link to the notice that it is
over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_httpserver import HTTPServer

from ingestion.services.system.embedded_redis import NoRedisServer, free_port
from tests.e2e.conftest import logged_in, page_of
from tests.e2e.live import Live, live_system
from tests.e2e.watch import Watch
from tests.fake_hubspot import HubspotAccount
from tests.integration.system import wait_for
from tests.missing import cannot_have

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

CHANGED = "2026-02-01T00:00:00.000Z"


@pytest.fixture
def inbox() -> Iterator[HTTPServer]:
    """Takes what a channel is told."""
    with HTTPServer() as server:
        server.expect_request("/inbox", method="POST").respond_with_data("thanks")
        yield server


@pytest.fixture
def account(httpserver: HTTPServer) -> HubspotAccount:
    """Three contacts, one of which HubSpot sends without its key."""
    found = HubspotAccount(httpserver)
    for number in (1, 2, 3):
        found.put(number, CHANGED)
    found.contacts[2]["id"] = ""
    return found


@pytest.fixture
def live(account: HubspotAccount, inbox: HTTPServer, tmp_path: Path) -> Iterator[Live]:
    port = free_port()
    environment = {
        **account.environment,
        "WAREHOUSE_URL": f"sqlite:///{tmp_path / 'warehouse.sqlite3'}",
        "SYNC_REJECTED_RECORDS": "1",
        "SYNC_REJECTED_PERCENT": "0",
        "NOTICE_CHANNELS": f"ops=json://127.0.0.1:{inbox.port}/inbox",
        "SITE_URL": f"http://127.0.0.1:{port}",
    }
    try:
        with live_system(tmp_path / "live", web_port=port, **environment) as system:
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


@pytest.fixture
def page(live: Live, chromium: Browser, watch: Watch, tmp_path: Path) -> Iterator[Page]:
    yield from page_of(live, chromium, logged_in(live, chromium, tmp_path), watch)


def notice(live: Live, inbox: HTTPServer, title: str) -> dict[str, Any]:
    """Looks for troubles until a message with this title has come."""

    def look() -> dict[str, Any] | None:
        live.call("look_for_troubles")
        told = [request.get_json() for request, _ in inbox.log]
        return next((message for message in told if message["title"].endswith(title)), None)

    found = wait_for(look, what=f"the notice {title!r}", every=0.5)
    assert found is not None
    return found


def test_from_a_notice_to_the_notice_that_it_is_over(
    live: Live, page: Page, inbox: HTTPServer, account: HubspotAccount
) -> None:
    task_id = live.call("submit_task", "hubspot", "contacts")
    ended = live.ended(task_id)
    assert ended["status"] == "failed", ended["result"]
    told = notice(live, inbox, "Sync failed: hubspot")
    (link,) = re.findall(r"http://\S+", told["message"])
    assert link.startswith(f"{live.url}/history/")

    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("hubspot.contacts")
    expect(page.get_by_text("records of contacts cannot be loaded").first).to_be_visible()
    expect(page.locator("#run-log-lines")).to_contain_text("contacts failed:")

    page.locator('td[data-label="Failed"] a').click()
    expect(page.locator("#rejected tbody tr")).to_contain_text("a record has no key")

    account.contacts[2]["id"] = "2"  # HubSpot is right again
    page.goto(link)
    page.get_by_role("button", name="Run again").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run again").click()
    expect(page.locator("#confirm-done")).to_contain_text("Submitted again")
    page.get_by_role("link", name="All runs of it").click()
    wait_for(
        lambda: page.reload() and page.locator("tbody .is-success").count() == 1,
        what="the end of the second run",
    )

    over = notice(live, inbox, "Over: Sync failed: hubspot")
    assert "It is over after" in over["message"]
    page.goto("/notices/")
    expect(page.get_by_text("Over: Sync failed: hubspot")).to_be_visible()
    wrong_now = page.get_by_role("region", name="Wrong now")
    expect(wrong_now).not_to_contain_text("the last sync of contacts")


def test_a_log_is_followed_in_the_browser_while_the_sync_runs(
    live: Live, page: Page, account: HubspotAccount
) -> None:
    account.contacts[2]["id"] = "2"
    account.may_end.clear()
    task_id = live.call("submit_task", "hubspot", "contacts", {"full": True})
    page.goto(f"/history/{live.call('row', task_id)['id']}/")
    log = page.locator("#run-log-lines")

    expect(log).to_contain_text("contacts: extract begins")
    assert "is merged" not in log.inner_text()
    account.may_end.set()

    expect(log).to_contain_text("contacts is merged: 3 rows read, 3 new")
    page.get_by_label("With").fill("is merged")
    expect(log.locator("span")).to_have_count(1)
