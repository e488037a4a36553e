"""A real browser: Debian's Chromium, driven by Playwright; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

from ingestion.services.system.embedded_redis import NoRedisServer
from tests.e2e.browser import FLAGS, program
from tests.e2e.live import PASSWORD, USER, Live, live_system
from tests.e2e.people import People
from tests.e2e.watch import Watch
from tests.missing import cannot_have

# It counts for a whole process: no file of tests may depend on another one that sets it.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    found = program()
    if not found:
        cannot_have("Chromium", "there is no program of that name; apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        except Error as problem:
            cannot_have("Chromium", problem)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    try:
        with live_system(tmp_path_factory.mktemp("live")) as system:
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


@pytest.fixture(scope="package")
def login(live: Live, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return logged_in(live, chromium, tmp_path_factory.mktemp("login"))


def logged_in(live: Live, chromium: Browser, folder: Path) -> Path:
    """The cookies of somebody who has logged in through the form."""
    kept = folder / "state.json"
    context = chromium.new_context()
    page = context.new_page()
    page.goto(f"{live.url}/")
    page.get_by_label("User name").fill(USER)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{live.url}/")
    context.storage_state(path=kept)
    context.close()
    return kept


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def page(live: Live, chromium: Browser, login: Path, watch: Watch) -> Iterator[Page]:
    """Somebody's page; what goes wrong in it, or leaves the origin, fails the test."""
    yield from page_of(live, chromium, login, watch)


def page_of(live: Live, chromium: Browser, login: Path, watch: Watch) -> Iterator[Page]:
    """The same of any system."""
    context = chromium.new_context(storage_state=login, base_url=live.url, reduced_motion="reduce")
    found = context.new_page()
    watch.look_at(found, live.url)
    yield found
    context.close()
    watch.check()


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Four syncs run and three wait, after a week of runs."""
    try:
        with live_system(tmp_path_factory.mktemp("busy")) as system:
            system.play("past")
            system.play("queue", "3")
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sessions")


@pytest.fixture
def people(busy: Live, chromium: Browser, sessions: Path) -> Iterator[People]:
    found = People(busy, chromium, sessions)
    yield found
    for context in chromium.contexts:
        context.close()
    found.watch.check()
