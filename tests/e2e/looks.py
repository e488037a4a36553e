"""What pictures of the pages and checks of their looks share: the pages, and when one is complete."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

# By name, of a system that has played the scene ``past``; the first runs ended last.
PAGES = {
    "dashboard": "/",
    "history": "/history/",
    "history-failed": "/history/?status=failed",
    "history-none": "/history/?crm_source=marketsharp&status=running",
    "crms": "/crms/",
    "crm": "/crms/hubspot/",
    "schedules": "/schedules/",
    "schedule": "/schedules/1/",
    "schedule-hostile": "/schedules/2/",
    "schedule-new": "/schedules/new/",
    "schedule-edit": "/schedules/3/edit/",
    "automation": "/automation/",
    "reports": "/reports/",
    "report": "/reports/2/",
    "settings": "/settings/",
    "audit": "/audit/",
    "password": "/password/",
    "password-done": "/password/done/",
    "not-found": "/nowhere/",
    "api": "/api/docs",
}

# Not among those that axe runs by itself: WCAG 2.5.3, the name holds the text that is shown.
RULES = {"rules": {"label-content-name-mismatch": {"enabled": True}}}


def settle(page: Page, path: str) -> None:
    """Until all that a page asks for is there."""
    page.goto(path)
    if path == "/" and page.locator(".board").count():
        expect(page.locator("#pool-state")).to_be_visible()
        expect(page.locator(".chart canvas").first).to_be_visible()
        expect(page.locator("#promises-title")).to_be_visible()
    for closed in page.locator("details.endpoint:not([open]) > summary").all()[:3]:
        closed.click()


def findings(page: Page) -> list[str]:
    """What axe has against the page as it stands."""
    return [
        f"{v['id']}: {v['nodes'][0]['html']}"
        for v in Axe().run(page, options=RULES).response["violations"]
    ]


def is_too_wide(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))
