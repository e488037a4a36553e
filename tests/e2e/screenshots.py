# ruff: noqa: T201
"""Pictures of every page at several widths, with an empty and with a long queue, light and dark.

    python -m tests.e2e.screenshots --out /tmp/pictures [--only 'dashboard*'] [--queue 0 3 10000]

Starts a system of its own, as the tests do. ``index.html`` in the folder shows all of them.
"""

from __future__ import annotations

import argparse
import fnmatch
import html
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.browser import FLAGS, program
from tests.e2e.dialogs import DIALOGS, at_page
from tests.e2e.live import NOBODY, OPERATOR, PASSWORD, VIEWER, Live, live_system
from tests.e2e.looks import PAGES, settle
from tests.integration.system import wait_for

WIDTHS = (390, 1280, 1920)
QUEUES = (0, 3, 10_000)
HEIGHT = 900
BROKEN_TABLE = "ingestion_automationreport"


@dataclass
class Camera:
    """Takes those pictures whose name fits ``only``: ``PAGE.SCENE.WIDTH.SCHEME.png``."""

    live: Live
    browser: Browser
    folder: Path
    only: str
    widths: tuple[int, ...]
    schemes: tuple[str, ...]
    sessions: dict[str, Path] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        return fnmatch.fnmatch(name, self.only)

    def take(self, name: str, path: str, *, scene: str, who: str = OPERATOR) -> None:
        if self.wants(name):
            for page, named in self._pages(f"{name}.{scene}", who):
                settle(page, path)
                page.screenshot(path=self.folder / named, full_page=True)

    def take_dialogs(self, scene: str) -> None:
        wanted = {name: o for name, o in DIALOGS.items() if self.wants(f"dialog-{name}")}
        for name, opener in wanted.items():
            for page, named in self._pages(f"dialog-{name.replace(' ', '-')}.{scene}", OPERATOR):
                at_page(page, opener)
                opener.open(page)
                page.screenshot(path=self.folder / named)

    def _pages(self, name: str, who: str) -> Iterator[tuple[Page, str]]:
        """One per width and scheme."""
        for width in self.widths:
            for scheme in self.schemes:
                with self.context(who, width=width, scheme=scheme) as context:
                    yield context.new_page(), f"{name}.{width}.{scheme}.png"

    @contextmanager
    def context(self, who: str, *, width: int, scheme: str) -> Iterator[BrowserContext]:
        made = self.browser.new_context(
            storage_state=self._session(who) if who else None,
            base_url=self.live.url,
            viewport={"width": width, "height": HEIGHT},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            timezone_id="Europe/Berlin",
            locale="en-GB",
        )
        made.set_default_timeout(60_000)
        yield made
        made.close()

    def _session(self, who: str) -> Path:
        if who not in self.sessions:
            kept = self.live.folder / f"{who}.json"
            context = self.browser.new_context(base_url=self.live.url)
            page = context.new_page()
            log_in(page, who, PASSWORD)
            expect(page.get_by_label("Password")).to_have_count(0)
            context.storage_state(path=kept)
            context.close()
            self.sessions[who] = kept
        return self.sessions[who]


def log_in(page: Page, who: str, password: str) -> None:
    page.goto("/login/")
    page.get_by_label("User name").fill(who)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def empty_system(camera: Camera) -> None:
    for name in (
        "dashboard",
        "history",
        "crms",
        "crm",
        "schedules",
        "automation",
        "reports",
        "audit",
    ):
        camera.take(name, PAGES[name], scene="new")


def pages(camera: Camera) -> None:
    for name, path in PAGES.items():
        if name != "dashboard":
            camera.take(name, path, scene="past")
    camera.take("dashboard", "/", scene="viewer", who=VIEWER)
    camera.take("forbidden", "/", scene="past", who=NOBODY)
    camera.take("login", "/login/", scene="past", who="")
    for name, path in runs(camera.live).items():
        camera.take(name, path, scene="past")


def runs(live: Live) -> dict[str, str]:
    """The latest run of each kind, and one that tells of all its models."""
    asked = {f"run-{s}": f"status='{s}'" for s in ("success", "failed", "partial", "running")}
    asked["run-of-all"] = "sync_type='all' and status='success'"
    found = {}
    with sqlite3.connect(live.folder / "ledger.sqlite3") as ledger:
        for name, condition in asked.items():
            row = ledger.execute(
                f"select id from ingestion_synchistory where {condition} order by start_time desc"
            ).fetchone()
            found[name] = f"/history/{row[0]}/"
    return found


def broken(camera: Camera) -> None:
    """The page of an error on our side: its table is away for a moment."""
    with sqlite3.connect(camera.live.folder / "ledger.sqlite3") as ledger:
        ledger.execute(f"alter table {BROKEN_TABLE} rename to away")
        ledger.commit()
        camera.take("broken", "/reports/", scene="past")
        ledger.execute(f"alter table away rename to {BROKEN_TABLE}")


def locked(camera: Camera) -> None:
    """Too many failed logins; the last thing that is done, as it locks this address out."""
    if not camera.wants("locked"):
        return
    for page, named in camera._pages("locked.past", ""):
        for _ in range(6):
            log_in(page, "somebody", "wrong")
        page.screenshot(path=camera.folder / named, full_page=True)


def take_all(camera: Camera, queues: tuple[int, ...]) -> None:
    empty_system(camera)
    camera.live.play("past")
    for count in queues:
        empty(camera.live)
        if count:
            camera.live.play("queue", str(count))
        camera.take("dashboard", "/", scene=f"q{count}")
        if count == 3:
            pages(camera)
            camera.take_dialogs("q3")
    broken(camera)
    locked(camera)


def empty(live: Live) -> None:
    live.call("cancel_all")
    wait_for(lambda: not live.call("get_stats")["active_count"], what="an empty pool", seconds=120)


def write_index(folder: Path) -> None:
    """All pictures beside each other."""
    pictures = sorted(path.name for path in folder.glob("*.png"))
    figures = "".join(
        f'<figure><a href="{urlsplit(name).path}"><img loading="lazy" width="400" '
        f'src="{urlsplit(name).path}" alt=""></a><figcaption>{html.escape(name)}</figcaption></figure>'
        for name in pictures
    )
    (folder / "index.html").write_text(f"<!doctype html><title>Pages</title>{figures}")


def main() -> None:
    asked = _arguments()
    asked.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="screenshots-") as folder,
        live_system(Path(folder) / "live") as live,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        camera = Camera(
            live, browser, asked.out, asked.only, tuple(asked.widths), tuple(asked.schemes)
        )
        take_all(camera, tuple(asked.queue))
        browser.close()
    write_index(asked.out)
    print(f"{len(list(asked.out.glob('*.png')))} pictures in {asked.out / 'index.html'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Pictures of every page.")
    parser.add_argument("--out", type=Path, required=True, help="the folder for the pictures")
    parser.add_argument("--only", default="*", help="names of pages, such as 'run-*'")
    parser.add_argument("--widths", type=int, nargs="+", default=WIDTHS, metavar="PX")
    parser.add_argument("--queue", type=int, nargs="+", default=QUEUES, metavar="TASKS")
    parser.add_argument(
        "--schemes", nargs="+", default=["light", "dark"], choices=["light", "dark"]
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
