"""What the tests of the dashboard's actions have in common."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.e2e.dialogs import in_menu
from tests.e2e.live import Live
from tests.integration.system import wait_for

# Steps of a tenth of a second: longer than a test looks.
LONG = 6000


def waiting(page: Page) -> list[str]:
    """Their ids, in the order of the page."""
    found: list[str] = page.locator("#queue tbody tr[data-task]").evaluate_all(
        "rows => rows.map(row => row.dataset.task)"
    )
    return found


def board_of(page: Page, expected: list[str]) -> Page:
    """The dashboard with the expected queue. Readers share an answer for a second, so the first
    one may still show what the test before left."""
    page.goto("/")
    wait_for(
        lambda: page.wait_for_timeout(50) or waiting(page) == expected, what="the expected queue"
    )
    return page


def row(page: Page, task_id: str) -> Locator:
    return page.locator(f'tr[data-task="{task_id}"]')


def press(page: Page, task_id: str, name: str) -> Locator:
    """A row's button, or what its menu offers; the dialog that it opens."""
    buttons = row(page, task_id).get_by_role("button")
    if buttons.filter(has_text="⋯").count():
        buttons.filter(has_text="⋯").click()
        in_menu(page, name).click()
    else:
        buttons.filter(has_text=name).click()
    return page.get_by_role("dialog")


def confirm(dialog: Locator, name: str, *, reason: str = "asked by a test") -> None:
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name=name, exact=True).click()
    expect(dialog).to_be_hidden()


def empty_again(live: Live) -> None:
    """Nothing is paused, limited, waiting or running."""
    for crm in (None, "five9", "hubspot"):
        live.call("resume", crm, change={"by": "tests"})
    live.call("set_max_workers", 2, change={"by": "tests"})
    live.call("cancel_all")
    wait_for(lambda: not live.call("get_stats")["active_count"], what="an empty pool")
