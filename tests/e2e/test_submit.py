"""A sync is submitted in the browser, after a live word on what would become of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.live import Live
from tests.e2e.operating import LONG, empty_again, row
from tests.e2e.watch import Watch
from tests.integration.system import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]


@pytest.fixture(autouse=True)
def empty_afterwards(live: Live) -> Iterator[None]:
    yield
    empty_again(live)


def wish(page: Page, crm: str, what: str, **more: str) -> Locator:
    """The dialog, filled."""
    page.get_by_role("button", name="Submit a sync").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="CRM").select_option(crm)
    dialog.get_by_role("combobox", name="What").select_option(what)
    for name, value in more.items():
        dialog.get_by_role("combobox", name=name.replace("_", " ")).select_option(value)
    return dialog


def fill_slots(live: Live) -> list[str]:
    return [live.submit(label, steps=LONG) for label in (1, 2)]


def test_a_free_slot_is_foretold_and_taken(page: Page, live: Live) -> None:
    page.goto("/")
    expect(page.get_by_text("No sync is running.")).to_be_visible()
    dialog = wish(page, "five9", "contacts")
    dialog.get_by_label("At most so many records").fill(str(LONG))
    expect(dialog.get_by_role("status")).to_have_text("It would start at once: a slot is free.")
    dialog.get_by_label("Why").fill("month end")
    dialog.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("five9.contacts was submitted.")).to_be_visible()
    running = page.locator("section:has(#active-title) tr[data-task]")
    expect(running).to_contain_text("five9.contacts")
    expect(running).to_contain_text("operator (web)")
    expect(running).to_contain_text("rows")


def test_a_wait_is_foretold_with_its_range(page: Page, live: Live) -> None:
    live.call("past_runs", "five9", "contacts", 20, 180)
    live.kill_web()  # what it has learned before is forgotten
    live.start_web()
    fill_slots(live)
    page.goto("/")
    forecast = wish(page, "five9", "contacts").get_by_role("status")
    expect(forecast).to_contain_text("It would wait. Every slot is taken (2 of 2)")
    # Runs took three minutes, and these have just begun.
    expect(forecast).to_contain_text("It would start ")
    expect(forecast).to_contain_text("min")


def test_a_merge_is_foretold_and_happens(page: Page, live: Live) -> None:
    fill_slots(live)
    waits = live.call("submit_task", "callrail", "calls")
    page.goto("/")
    expect(row(page, waits)).to_be_visible()
    before = live.call("rows")
    dialog = wish(page, "callrail", "calls")
    expect(dialog.get_by_role("status")).to_contain_text(f"Task {waits} would stand for it")
    dialog.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("callrail.calls was merged with the one that waits")).to_be_visible()
    expect(page.locator("#queue tbody tr")).to_have_count(1)
    assert live.call("rows") == before


def test_a_refusal_is_foretold_and_told(page: Page, live: Live, watch: Watch) -> None:
    watch.expects_failed_requests = True
    fill_slots(live)
    waits = live.call("submit_task", "callrail", "calls")
    page.goto("/")
    expect(row(page, waits)).to_be_visible()
    before = live.call("rows")
    dialog = wish(page, "callrail", "calls", If_the_same_already_waits="reject")
    expect(dialog.get_by_role("status")).to_contain_text(f"would not be submitted: task {waits}")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_contain_text(waits)
    expect(dialog.get_by_role("button", name="Submit")).to_be_enabled()
    assert live.call("rows") == before


def test_one_that_waits_for_others_says_so(page: Page, live: Live) -> None:
    first, second = fill_slots(live)
    page.goto("/")
    expect(row(page, second)).to_be_visible()
    dialog = wish(page, "callrail", "calls")
    overlap = dialog.get_by_role("combobox", name="If the same already waits")
    expect(overlap).to_have_value("coalesce")
    dialog.get_by_label("After these tasks have completed").fill(f"{first}, {second}")
    expect(overlap).to_have_value("allow")
    expect(dialog.get_by_role("status")).to_contain_text("It would wait. It waits for ")
    dialog.get_by_role("button", name="Submit").click()
    expect(page.get_by_text("callrail.calls was submitted.")).to_be_visible()
    why = page.locator("#held tr[data-task]", has_text="callrail.calls")
    expect(why).to_contain_text("waits for")


def test_what_nothing_can_wait_for_is_refused(page: Page, live: Live, watch: Watch) -> None:
    watch.expects_failed_requests = True
    page.goto("/")
    before = live.call("rows")
    dialog = wish(page, "callrail", "calls")
    dialog.get_by_label("After these tasks have completed").fill("yesterday")
    told = "callrail.calls cannot wait for task 'yesterday': nothing is known of it."
    expect(dialog.get_by_role("status")).to_have_text(told)
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_have_text(told)
    assert live.call("rows") == before


def test_the_forecast_follows_the_priority(page: Page, live: Live) -> None:
    """What is asked last is what is told."""
    fill_slots(live)
    page.goto("/")
    asked: list[str] = []
    page.on("request", lambda r: asked.append(r.url) if "/api/forecast" in r.url else None)
    dialog = wish(page, "callrail", "calls")
    dialog.get_by_label("Priority").fill("7")
    wait_for(
        lambda: page.wait_for_timeout(50) or any("priority=7" in url for url in asked),
        what="a forecast with the priority",
    )
    expect(dialog.get_by_role("status")).to_contain_text("It would wait.")


def test_a_double_click_submits_once(page: Page, live: Live) -> None:
    fill_slots(live)
    page.goto("/")
    before = live.call("rows")
    page.get_by_role("button", name="Submit a sync").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="CRM").select_option("callrail")
    dialog.get_by_role("combobox", name="What").select_option("calls")
    dialog.get_by_label("Priority").fill("-5")
    expect(dialog.get_by_role("status")).to_contain_text("It would wait.")
    dialog.get_by_role("button", name="Submit").dblclick()
    expect(dialog).to_be_hidden()
    expect(page.locator("#queue")).to_contain_text("callrail.calls")
    assert live.call("rows") == before + 1
