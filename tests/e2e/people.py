"""Pages of somebody, in a busy system."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.e2e.live import PASSWORD, Live
from tests.e2e.watch import Watch

Scheme = Literal["light", "dark"]


class People:
    """Opens pages as somebody; what goes wrong in any of them fails the test."""

    def __init__(self, busy: Live, chromium: Browser, folder: Path) -> None:
        self.busy, self.chromium, self.folder = busy, chromium, folder
        self.watch = Watch()

    def page(self, who: str, *, scheme: Scheme = "light", width: int = 1280) -> Page:
        """Somebody's page; nobody is logged in where ``who`` is empty."""
        context = self.chromium.new_context(
            storage_state=self._session(who) if who else None,
            base_url=self.busy.url,
            color_scheme=scheme,
            viewport=ViewportSize(width=width, height=900),
            reduced_motion="reduce",
            timezone_id="Asia/Kolkata",
        )
        found = context.new_page()
        self.watch.look_at(found, self.busy.url)
        return found

    def _session(self, who: str) -> Path:
        kept = self.folder / f"{who}.json"
        if not kept.exists():
            page = self.page("")
            page.goto("/login/")
            page.get_by_label("User name").fill(who)
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_label("Password")).to_have_count(0)
            page.context.storage_state(path=kept)
            page.context.close()
        return kept
