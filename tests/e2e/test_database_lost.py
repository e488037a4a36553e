"""The ledger's database goes away while a page is open: the page says so, and comes back by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from ingestion.services.system.embedded_redis import NoRedisServer
from tests.e2e.conftest import logged_in
from tests.e2e.cut import Wire
from tests.e2e.live import Live, live_system
from tests.e2e.operating import LONG, press, row
from tests.e2e.watch import Watch
from tests.integration.system import wait_for
from tests.missing import cannot_have
from tests.postgres import PostgresDatabases

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.redis,
    pytest.mark.worker,
    pytest.mark.postgres,
    pytest.mark.slow,
]

# Longer than between two looks of a page that has been without an answer for a while.
MENDED_MS = 45_000


@pytest.fixture(scope="module")
def database(postgres_databases: PostgresDatabases) -> Iterator[str]:
    """The URL of an empty one on the real server."""
    with postgres_databases.lend() as new_database:
        yield new_database()


@pytest.fixture(scope="module")
def wire(database: str) -> Iterator[Wire]:
    where = urlsplit(database)
    made = Wire((where.hostname or "127.0.0.1", where.port or 5432))
    yield made
    made.cut()


@pytest.fixture(scope="module")
def remote(database: str, wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A system whose ledger is at the other end of the wire."""
    where = urlsplit(database)
    login, at, _ = where.netloc.rpartition("@")
    led = urlunsplit(where._replace(netloc=f"{login}{at}127.0.0.1:{wire.port}"))
    try:
        with live_system(tmp_path_factory.mktemp("remote"), DATABASE_URL=led) as system:
            yield system
    except NoRedisServer as problem:
        cannot_have("A Redis server", problem)


@pytest.fixture
def board(remote: Live, chromium: Browser, watch: Watch, tmp_path: Path) -> Iterator[Page]:
    kept = logged_in(remote, chromium, tmp_path)
    context = chromium.new_context(storage_state=kept, base_url=remote.url)
    page = context.new_page()
    watch.expects_failed_requests = True
    watch.look_at(page, remote.url)
    yield page
    context.close()
    watch.check()


def test_a_lost_database_is_told_with_the_age_of_the_data_and_recovers(
    board: Page, remote: Live, wire: Wire
) -> None:
    running = [remote.submit(label, steps=LONG) for label in (1, 2)]
    waits = remote.submit(3, steps=LONG)
    board.goto("/")
    expect(board.locator("#pool-state")).to_have_text("Busy")
    expect(row(board, waits)).to_be_visible()
    board.evaluate("window.isTheSamePage = true")

    wire.cut()
    alert = board.get_by_role("alert").filter(has_text="No news.")
    expect(alert).to_contain_text("The database of the ledger cannot be used now.")
    expect(alert).to_contain_text(re.compile(r"The data is \d+ s old\."))
    expect(board.locator("#pool-state")).to_have_text("Unknown")
    expect(board).to_have_title("No news – Worker pool")
    expect(row(board, waits)).to_be_visible()  # what was known last

    # An action says why it was not done, and does not hang.
    dialog = press(board, waits, "Hold")
    dialog.get_by_role("button", name="Hold", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("The database of the ledger")

    wire.mend()
    expect(alert).to_be_hidden(timeout=MENDED_MS)
    dialog.get_by_role("button", name="Hold", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(board.locator("#held")).to_contain_text("Held")
    expect(board.locator("#pool-state")).to_have_text("Busy")
    expect(board).to_have_title("Busy 2/2 – Worker pool")
    assert board.evaluate("window.isTheSamePage")
    for task_id in running:
        expect(row(board, task_id)).to_contain_text("rows")
    remote.call("cancel_all")
    wait_for(lambda: not remote.call("get_stats")["active_count"], what="an empty pool")
