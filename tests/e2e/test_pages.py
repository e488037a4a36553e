"""Every page in a real browser: accessible in light and dark, whole on a phone, times of the reader."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.live import Live
from tests.e2e.looks import findings, is_too_wide, settle
from tests.e2e.watch import Watch

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]

PAGES = (
    "/", "/history/", "/crms/", "/crms/five9/", "/audit/", "/settings/", "/password/",
    "/schedules/", "/schedules/new/", "/automation/", "/reports/",
    "/data/", "/data/sql/", "/crms/five9/contacts/",
)  # fmt: skip


@pytest.fixture(scope="module")
def run(live: Live) -> int:
    """The history's row of a sync that has ended."""
    task_id = live.submit(1, steps=2)
    live.ended(task_id)
    return int(live.closed_row(task_id)["id"])


@pytest.fixture
def report(page: Page, run: int) -> str:
    """The path of a report that a click has made."""
    page.goto("/reports/")
    page.get_by_role("button", name="Make one now").click()
    page.get_by_role("dialog").get_by_role("button", name="Make one now").click()
    page.locator("td a").first.click()
    expect(page.locator("#plot-hours canvas")).to_be_visible()
    return urlsplit(page.url).path


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page_is_accessible_and_whole(
    page: Page, run: int, report: str, scheme: Literal["light", "dark"], width: int
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    found: dict[str, object] = {}
    for path in (*PAGES, f"/history/{run}/", report):
        settle(page, path)
        if wrong := findings(page):
            found[path] = wrong
        if is_too_wide(page):
            found[f"{path} is too wide"] = width
    assert found == {}


def test_error_pages_are_accessible_too(page: Page, watch: Watch) -> None:
    watch.expects_failed_requests = True
    page.goto("/nowhere/")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert findings(page) == []


def test_times_are_the_readers_and_name_the_zone(page: Page, run: int) -> None:
    page.goto("/history/")
    first = page.locator("td time").first
    shown, at = first.text_content() or "", first.get_attribute("datetime")
    local = page.evaluate(
        "at => new Date(at).toLocaleTimeString(undefined, {hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'})",
        at,
    )
    assert shown == local
    zone = page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    expect(page.get_by_text(f"Times in {zone}")).to_be_visible()


def test_the_scheme_is_chosen_and_kept(page: Page) -> None:
    page.goto("/audit/")
    page.get_by_role("button", name="Colors: auto").click()
    page.get_by_role("button", name="Colors: light").click()
    page.goto("/history/")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_filters_change_the_list_and_the_address(page: Page, run: int) -> None:
    page.goto("/history/")
    expect(page.get_by_role("link", name="five9.contacts").first).to_be_visible()

    page.get_by_label("CRM").select_option("hubspot")

    expect(page.get_by_text("No run fits these filters.")).to_be_visible()
    assert "crm_source=hubspot" in page.url


def test_a_keyboard_reaches_the_content_first(page: Page) -> None:
    page.goto("/history/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
