"""What somebody wants who has never seen the pages: each within three clicks from the dashboard."""

from __future__ import annotations

import json
import urllib.request

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.live import OPERATOR, Live
from tests.e2e.looks import settle
from tests.e2e.people import People

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker, pytest.mark.slow]

MOST_CLICKS = 3


class Visitor:
    """Begins on the dashboard, and counts every click."""

    def __init__(self, page: Page) -> None:
        self.page, self.clicks = page, 0
        settle(page, "/")

    def click(self, target: Locator) -> None:
        self.clicks += 1
        assert self.clicks <= MOST_CLICKS
        target.click()

    def button(self, name: str, *, inside: str = "main") -> None:
        self.click(self.page.locator(inside).get_by_role("button", name=name).first)

    def menu(self, name: str) -> None:
        main = self.page.get_by_role("navigation", name="Main")
        self.click(main.get_by_role("link", name=name, exact=True))


@pytest.fixture
def visitor(people: People) -> Visitor:
    return Visitor(people.page(OPERATOR, width=1440))


def test_why_does_it_wait(visitor: Visitor) -> None:
    expect(visitor.page.locator("#queue tbody tr").first).to_contain_text("Every slot is taken")
    visitor.button("Actions", inside="#queue")
    expect(visitor.page.locator("#row-menu")).to_contain_text("five9.contacts since")


def test_stop_a_runaway(visitor: Visitor) -> None:
    row = visitor.page.locator("#active tbody tr").last
    task_id = row.get_attribute("data-task")
    visitor.click(row.get_by_role("button", name="Cancel"))
    visitor.button("Cancel the sync", inside="dialog[open]")
    expect(visitor.page.locator(f'#active tr[data-task="{task_id}"]')).to_have_count(0)


def test_what_failed_last_and_why(visitor: Visitor) -> None:
    visitor.click(visitor.page.get_by_role("link", name="failed in 24 h"))
    # The dashboard has routes too, until the other page is there.
    expect(visitor.page.get_by_role("heading", name="History")).to_be_visible()
    last = visitor.page.locator("tbody tr").first
    why = last.locator(".clamp").get_attribute("title") or ""
    visitor.click(last.locator(".route"))
    # Times in it are the reader's.
    expect(visitor.page.locator(".notice.error").first).to_contain_text(why[:30])


def test_run_it_again(visitor: Visitor) -> None:
    visitor.button("Retry", inside="#results")
    visitor.button("Run again", inside="dialog[open]")
    expect(visitor.page.get_by_text("was submitted again")).to_be_visible()


def test_is_it_fresh(visitor: Visitor) -> None:
    expect(visitor.page.locator("#promises-title")).to_contain_text("promised datasets")


def test_how_many_rows_came_today(visitor: Visitor) -> None:
    visitor.menu("CRMs")
    visitor.click(visitor.page.get_by_role("link", name="HubSpot"))
    expect(visitor.page.get_by_role("columnheader", name="Rows").first).to_be_visible()


def test_see_the_rows(visitor: Visitor, busy: Live) -> None:
    busy.play("rows")
    visitor.menu("Data")
    visitor.click(visitor.page.get_by_role("link", name="arrivy.customers"))
    expect(visitor.page.locator("#found tbody tr").first).to_contain_text("Lovelace")


def test_load_it_each_15_minutes(visitor: Visitor) -> None:
    visitor.menu("Schedules")
    visitor.button("New schedule")
    page = visitor.page
    page.get_by_label("Name").fill("each quarter")
    page.get_by_label("CRM").select_option("callrail")
    page.get_by_label("Model").select_option("users")
    page.get_by_role("spinbutton", name="Every").fill("15")
    page.get_by_label("Unit").select_option("minutes")
    visitor.button("Make the schedule")
    expect(page.get_by_role("heading", name="each quarter")).to_be_visible()
    expect(page.locator("main")).to_contain_text("Every 15 minutes")


def test_let_one_crm_run_one_at_a_time(visitor: Visitor) -> None:
    visitor.button("Limits")
    dialog = visitor.page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="For").select_option("callrail")
    dialog.get_by_label("Syncs at once").fill("1")
    visitor.button("Set the limit", inside="dialog[open]")
    expect(visitor.page.locator(".toasts")).to_contain_text("callrail may run 1 at once.")


def test_be_told_of_failures(visitor: Visitor) -> None:
    visitor.menu("Notices")
    expect(visitor.page.locator("main")).to_contain_text("NOTICE_CHANNELS")


def test_which_token_is_wrong(visitor: Visitor) -> None:
    visitor.menu("CRMs")
    expect(visitor.page.locator("main")).to_contain_text("needs")


def test_a_token_and_what_to_call(visitor: Visitor) -> None:
    visitor.menu("Users")
    visitor.click(visitor.page.get_by_role("link", name="Tokens of programs"))
    visitor.page.get_by_label("Name").fill("metabase")
    visitor.button("Make the token")
    command = visitor.page.get_by_label("How to use it").inner_text()
    _, header, url = command.split('"')
    name, value = header.split(": ")
    request = urllib.request.Request(url.strip(), headers={name: value})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "max_workers" in json.load(answer)


def test_delete_a_user(visitor: Visitor) -> None:
    visitor.menu("Users")
    row = visitor.page.get_by_role("row", name="nobody")
    visitor.click(row.get_by_text("Change"))
    visitor.click(row.get_by_role("button", name="Delete nobody"))
    expect(visitor.page.get_by_text("nobody was deleted.")).to_be_visible()


def test_read_the_log(visitor: Visitor, busy: Live) -> None:
    assert busy.manage("sync_arrivy_users").returncode != 0  # nothing is set for it here
    settle(visitor.page, "/")
    visitor.click(visitor.page.locator("#results").get_by_role("link", name="arrivy.users").first)
    lines = visitor.page.locator("#run-log-lines")
    expect(lines).to_contain_text("arrivy.users begins")
    expect(lines).to_contain_text("ARRIVY_AUTH_KEY")
