"""Every dialog of the pages, by name: the page it stands on, and the button that opens it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.e2e.looks import settle

RUNNING = "section:has(#active-title)"
QUEUE = "#queue tbody tr >> nth=0"
HELD = "#held"
RESULTS = "#results"


@dataclass(frozen=True)
class Opener:
    """``inside`` narrows the search for the button of that name; the first one is pressed. ``item``:
    what is chosen in the menu that it opens."""

    path: str
    button: str
    inside: str = "main"
    item: str = ""

    def find(self, page: Page) -> Locator:
        return page.locator(self.inside).get_by_role("button", name=self.button).first

    def open(self, page: Page) -> Locator:
        """On the page that is shown; the dialog."""
        self.find(page).click()
        if self.item:
            in_menu(page, self.item).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        return dialog


def in_menu(page: Page, item: str) -> Locator:
    """What the menu of a row offers."""
    return page.locator("#row-menu").get_by_role("button", name=item)


DIALOGS = {
    "submit": Opener("/", "Submit a sync"),
    "process": Opener("/", "Process the queue"),
    "bulk": Opener("/", "Change many"),
    "clear": Opener("/", "Clear the queue"),
    "pause": Opener("/", "Pause"),
    "limits": Opener("/", "Limits"),
    "crm limit": Opener("/", "Change the limit of hubspot"),
    "resume": Opener("/", "Resume gsheet"),
    "cancel running": Opener("/", "Cancel", RUNNING),
    "menu": Opener("/", "Actions", QUEUE),
    "cancel waiting": Opener("/", "Actions", QUEUE, "Cancel"),
    "front": Opener("/", "Actions", QUEUE, "Move"),
    "priority": Opener("/", "Actions", QUEUE, "Change the priority"),
    "hold": Opener("/", "Actions", QUEUE, "Hold"),
    "release": Opener("/", "Actions", HELD, "Release"),
    "retry": Opener("/", "Retry", RESULTS),
    "run a CRM": Opener("/crms/hubspot/", "Run all now"),
    "run a model": Opener("/crms/hubspot/", "Run now: contacts"),
    "run again": Opener("/history/1/", "Run again"),
    "run a schedule": Opener("/schedules/", "Run now: hubspot deals"),
    "switch a schedule": Opener("/schedules/", "Switch off: hubspot deals"),
    "delete a schedule": Opener("/schedules/1/", "Delete"),
    "approve": Opener("/automation/", "Approve"),
    "dismiss": Opener("/automation/", "Dismiss"),
    "report": Opener("/reports/", "Make one now"),
    "remove a bound": Opener("/settings/", "Remove the bound of five9.contacts"),
}
# What unfolds without covering the page: the page, and what is pressed.
MENUS = {
    "account": ("/", "header details.dropdown > summary"),
    "phone": ("/", "#menu"),
    "settings": ("/settings/", "details.fold > summary"),
    "report": ("/reports/1/", "details.fold > summary"),
    "audit": ("/audit/", "#found details > summary"),
    "automation": ("/automation/", "main details > summary"),
    "users": ("/users/", "main details > summary"),
    "selected runs": ("/history/", "#found input[data-run]"),
    "selected tasks": ("/", "#queue td.pick input"),
}


def at_page(page: Page, opener: Opener) -> None:
    """Go there unless it is shown already."""
    if urlsplit(page.url).path != opener.path:
        settle(page, opener.path)
    expect(opener.find(page)).to_be_visible()
