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
    """``inside`` narrows the search for the button of that name; the first one is pressed."""

    path: str
    button: str
    inside: str = "main"

    def find(self, page: Page) -> Locator:
        return page.locator(self.inside).get_by_role("button", name=self.button).first

    def open(self, page: Page) -> Locator:
        """On the page that is shown; the dialog."""
        self.find(page).click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        return dialog


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
    "cancel waiting": Opener("/", "Cancel", QUEUE),
    "front": Opener("/", "Move", QUEUE),
    "priority": Opener("/", "Change the priority", QUEUE),
    "hold": Opener("/", "Hold", QUEUE),
    "release": Opener("/", "Release", HELD),
    "retry": Opener("/", "again", RESULTS),
    "run a CRM": Opener("/crms/hubspot/", "Run all now"),
    "run a model": Opener("/crms/hubspot/", "Run contacts now"),
    "run again": Opener("/history/1/", "Run again"),
    "run a schedule": Opener("/schedules/", "Run hubspot deals now"),
    "switch a schedule": Opener("/schedules/", "Switch hubspot deals off"),
    "delete a schedule": Opener("/schedules/1/", "Delete"),
    "approve": Opener("/automation/", "Approve"),
    "dismiss": Opener("/automation/", "Dismiss"),
    "report": Opener("/reports/", "Make one now"),
}


def at_page(page: Page, opener: Opener) -> None:
    """Go there unless it is shown already."""
    if urlsplit(page.url).path != opener.path:
        settle(page, opener.path)
    expect(opener.find(page)).to_be_visible()
