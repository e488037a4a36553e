"""What a page must not do: report errors, or ask another origin."""

from __future__ import annotations

from playwright.sync_api import Page


class Watch:
    def __init__(self) -> None:
        self.errors: list[str] = []
        self.elsewhere: list[str] = []
        self.expects_failed_requests = False

    def look_at(self, page: Page, origin: str) -> None:
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: self._hear(said.type, said.text))
        page.on("request", lambda request: self._see(request.url, origin))

    def _hear(self, kind: str, text: str) -> None:
        if self.expects_failed_requests and "Failed to load resource" in text:
            return
        if kind in ("error", "warning"):
            self.errors.append(text)

    def _see(self, url: str, origin: str) -> None:
        if not url.startswith((f"{origin}/", "data:")):
            self.elsewhere.append(url)

    def check(self) -> None:
        assert not self.errors, f"the page reported: {self.errors}"
        assert not self.elsewhere, f"the page asked elsewhere: {self.elsewhere}"
