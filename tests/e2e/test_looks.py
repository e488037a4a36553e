"""Every page of a busy system, full of long and hostile texts: accessible, whole, in local times."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.dialogs import DIALOGS, MENUS, at_page, in_menu
from tests.e2e.live import NOBODY, OPERATOR, VIEWER, Live
from tests.e2e.looks import PAGES, findings, is_too_wide, settle
from tests.e2e.people import People, Scheme

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]


LOOKS: tuple[tuple[Scheme, int], ...] = (("light", 1280), ("dark", 390))
# The log is a file's own lines; it says that its times are in UTC.
SENTENCES = "[...document.querySelectorAll('main *:not(pre)')].map(e => e.childNodes).flatMap(n => [...n]).filter(n => n.nodeType === 3 && !n.parentElement.closest('pre')).map(n => n.data)"
STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC")


def wrong_with(page: Page) -> list[str]:
    """Of the page as it stands."""
    found = findings(page)
    if is_too_wide(page):
        found.append("it is too wide")
    found += [text for text in page.evaluate(SENTENCES) if STAMP.search(text)]
    return found


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_is_accessible_whole_and_in_local_time(
    people: People, scheme: Scheme, width: int
) -> None:
    people.watch.expects_failed_requests = True  # one page is not there
    page = people.page(OPERATOR, scheme=scheme, width=width)
    found: dict[str, object] = {}
    for path in (*PAGES.values(), "/history/1/", "/history/421/", "/history/422/"):
        settle(page, path)
        if wrong := wrong_with(page):
            found[path] = wrong
    assert found == {}


@pytest.mark.parametrize(("who", "path"), [(VIEWER, "/"), (NOBODY, "/"), ("", "/login/")])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_those_who_may_less_see_a_whole_page_too(
    people: People, who: str, path: str, scheme: Scheme
) -> None:
    people.watch.expects_failed_requests = who == NOBODY
    page = people.page(who, scheme=scheme)
    page.goto(path)
    expect(page.get_by_role("heading").first).to_be_attached()
    if who == VIEWER:
        expect(page.locator("#pool-state")).to_be_visible()
        expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    assert wrong_with(page) == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_dialog_is_accessible_and_whole(people: People, scheme: Scheme, width: int) -> None:
    page = people.page(OPERATOR, scheme=scheme, width=width)
    found: dict[str, object] = {}
    for name, opener in DIALOGS.items():
        at_page(page, opener)
        dialog = opener.open(page)
        box = (dialog.locator("article") if name != "menu" else dialog).bounding_box()
        assert box is not None
        if wrong := wrong_with(page) + ["it is cut off"] * (box["x"] < 0 or box["y"] < 0):
            found[name] = wrong
        page.keyboard.press("Escape")
    assert found == {}


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_menu_and_fold_is_accessible_when_it_is_open(
    people: People, scheme: Scheme, width: int
) -> None:
    page = people.page(OPERATOR, scheme=scheme, width=width)
    found: dict[str, object] = {}
    for name, (path, closed) in MENUS.items():
        settle(page, path)
        for one in page.locator(closed).locator("visible=true").all()[:12]:
            one.click()
        if wrong := wrong_with(page):
            found[name] = wrong
    assert found == {}


def test_every_dialog_is_used_by_keyboard_alone(people: People) -> None:
    page = people.page(OPERATOR)
    for name, opener in DIALOGS.items():
        at_page(page, opener)
        opener.find(page).press("Enter")
        if opener.item:
            in_menu(page, opener.item).press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        # A menu is left by Tab, as any other.
        assert name == "menu" or focus_stays_in_the_dialog(page), opener
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener.find(page)).to_be_focused()


def focus_stays_in_the_dialog(page: Page) -> bool:
    """Through more steps than it has fields; behind the last one the browser itself has it."""
    inside = "document.activeElement === document.body || !!document.activeElement.closest('dialog[open], [popover]')"
    for _ in range(14):
        page.keyboard.press("Tab")
        if not page.evaluate(inside):
            return False
    return True


def test_focus_stays_near_when_a_deed_takes_its_row_away(people: People, busy: Live) -> None:
    page = people.page(OPERATOR)
    settle(page, "/")
    gone = busy.submit(77, steps=600, priority=-900)
    row = page.locator(f'tr[data-task="{gone}"]')
    row.get_by_role("button", name="Actions").press("Enter")
    in_menu(page, "Cancel").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the sync").press("Enter")
    expect(row).to_have_count(0)
    expect(page.locator("#queue-title")).to_be_focused()


def test_a_reason_tells_who_holds_the_slots_without_a_mouse(people: People) -> None:
    page = people.page(OPERATOR)
    settle(page, "/")
    first = page.locator("#queue tbody tr").first
    expect(first).to_contain_text("Every slot is taken (4 of 4)")
    first.get_by_role("button", name="Actions").press("Enter")
    expect(page.locator("#row-menu")).to_contain_text("five9.contacts since")


def run_page(busy: Live, task_id: str) -> str:
    return f"/history/{busy.call('row', task_id)['id']}/"


def test_the_page_of_a_waiting_run_says_why_and_follows_it(people: People, busy: Live) -> None:
    task_id = busy.submit(78, priority=-900)
    page = people.page(OPERATOR)
    page.goto(run_page(busy, task_id))
    now = page.locator("#now")
    expect(now).to_contain_text("Every slot is taken (4 of 4)")
    expect(now).to_contain_text("of the queue")
    assert not STAMP.search(now.inner_text())

    busy.call("cancel_task", task_id)

    expect(now).to_have_count(0)
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()


def test_a_run_is_cancelled_on_its_page(people: People, busy: Live) -> None:
    task_id = busy.submit(79, priority=-900)
    page = people.page(OPERATOR)
    page.goto(run_page(busy, task_id))
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_label("Why").fill("asked by a test")
    page.get_by_role("dialog").get_by_role("button", name="Cancel the sync").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible()
    assert busy.task(task_id)["status"] == "cancelled"


def test_the_page_of_a_running_sync_counts_its_rows(people: People, busy: Live) -> None:
    task_id = busy.call("get_active_tasks")[0]["id"]
    page = people.page(OPERATOR)
    page.goto(run_page(busy, task_id))
    expect(page.locator("#now").get_by_text("rows so far")).to_be_visible()
    page.get_by_label("Update by itself").uncheck()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(6000)  # longer than between two looks
    assert asked == []


def test_with_200_queued_the_dashboard_is_not_long(people: People, busy: Live) -> None:
    """The last one of this file: they stay in the queue."""
    busy.play("queue", "200")
    page = people.page(OPERATOR, width=1440)
    settle(page, "/")
    expect(page.get_by_role("navigation", name="Pages of the queue")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollHeight") <= 1600
    rows = page.locator("#queue tbody tr").evaluate_all("rows => rows.map(r => r.offsetHeight)")
    assert len(rows) == 10
    assert max(rows) <= 40  # one line each


def test_the_queue_is_filtered_on_the_page(people: People) -> None:
    page = people.page(OPERATOR)
    settle(page, "/")
    page.get_by_label("CRM", exact=True).first.select_option("callrail")
    routes = page.locator("#queue .route")
    expect(routes.first).to_contain_text("callrail.")
    expect(page.locator("#queue .route", has_text="genius.")).to_have_count(0)
    page.locator("#queue-type").select_option("calls")
    expect(page.locator("#queue .route", has_text="callrail.webhooks")).to_have_count(0)
    expect(routes.first).to_have_text("callrail.calls")


def test_the_menu_of_a_phone_shows_every_page(people: People) -> None:
    page = people.page(OPERATOR, width=390)
    settle(page, "/")
    links = page.get_by_role("navigation", name="Main").get_by_role("link")
    expect(links).to_have_count(0)
    page.get_by_role("button", name="Menu").click()
    expect(links.last).to_be_in_viewport()
    assert not is_too_wide(page)
