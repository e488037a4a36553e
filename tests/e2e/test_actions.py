"""Everything an operator does on the dashboard, and what becomes of it in the page and the pool."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.live import Live
from tests.e2e.operating import LONG, board_of, confirm, empty_again, press, row, waiting
from tests.e2e.watch import Watch
from tests.integration.system import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]


@pytest.fixture(autouse=True)
def two_run_and_three_wait(live: Live) -> Iterator[list[str]]:
    """The ids of the three."""
    yield [live.submit(label, steps=LONG) for label in range(1, 6)][2:]
    empty_again(live)


@pytest.fixture
def board(page: Page, two_run_and_three_wait: list[str]) -> Page:
    return board_of(page, two_run_and_three_wait)


def task(live: Live, task_id: str) -> dict[str, Any]:
    return live.task(task_id)


def test_cancel_takes_a_waiting_sync_off_the_queue(board: Page, live: Live) -> None:
    gone = waiting(board)[0]
    confirm(press(board, gone, "Cancel"), "Cancel the sync", reason="not needed")
    expect(row(board, gone)).to_have_count(0)
    assert task(live, gone)["status"] == "cancelled"
    assert live.call("actors", gone)["cancel"].startswith("operator")


def test_cancel_ends_a_running_sync_and_the_next_one_starts(board: Page, live: Live) -> None:
    running = board.locator("section:has(#active-title) tr[data-task]").first
    ended = running.get_attribute("data-task") or ""
    follower = waiting(board)[0]
    confirm(press(board, ended, "Cancel"), "Cancel the sync")
    expect(row(board, ended)).to_have_count(0)
    expect(row(board, follower)).to_contain_text("rows")
    expect(board.locator("#results")).to_contain_text("Cancelled")


def test_front_and_priority_change_the_order(board: Page) -> None:
    first, second, third = waiting(board)
    confirm(press(board, third, "front"), "Move to the front")
    wait_for(lambda: board.wait_for_timeout(50) or waiting(board)[0] == third, what="the front")

    dialog = press(board, second, "priority")
    dialog.get_by_label("Priority").fill("50")
    confirm(dialog, "Set the priority")
    expect(row(board, second)).to_contain_text("50")
    wait_for(
        lambda: (
            board.wait_for_timeout(50) or waiting(board).index(second) < waiting(board).index(first)
        ),
        what="the new order",
    )


def test_a_held_sync_comes_back_to_its_place(board: Page) -> None:
    before = waiting(board)
    confirm(press(board, before[1], "Hold"), "Hold")
    expect(board.locator("#held").locator(f'tr[data-task="{before[1]}"]')).to_contain_text("Held")
    confirm(press(board, before[1], "Release"), "Release")
    expect(board.locator("#held")).to_have_count(0)
    expect(board.locator("#queue tbody tr")).to_have_count(3)
    assert waiting(board) == before


def test_pause_and_resume(board: Page, live: Live) -> None:
    board.get_by_role("button", name="Pause", exact=True).click()
    dialog = board.get_by_role("dialog")
    dialog.get_by_label("For how many minutes").fill("30")
    confirm(dialog, "Pause", reason="month end")
    expect(board.locator("#pool-state")).to_have_text("Paused")
    told = board.locator(".notice", has_text="The pool is paused by operator")
    expect(told).to_contain_text("month end")

    board.get_by_role("button", name="Resume the pool").click()
    confirm(board.get_by_role("dialog"), "Resume")
    expect(board.locator("#pool-state")).not_to_have_text("Paused")


def test_one_crm_is_paused_and_resumed(board: Page, live: Live) -> None:
    board.get_by_role("button", name="Pause", exact=True).click()
    dialog = board.get_by_role("dialog")
    dialog.get_by_role("combobox", name="For").select_option("five9")
    expect(dialog).to_contain_text("No queued sync of five9 starts")
    confirm(dialog, "Pause", reason="new password")
    told = board.locator(".notice", has_text="five9 is paused by operator")
    expect(told).to_contain_text("new password")
    expect(row(board, waiting(board)[0])).to_contain_text("five9 is paused")
    expect(board.locator("#pool-state")).not_to_have_text("Paused")

    ended = board.locator("section:has(#active-title) tr[data-task]").first
    live.call("cancel_task", ended.get_attribute("data-task"))
    expect(board.get_by_text("1 of 2", exact=True)).to_be_visible()
    expect(board.locator("#queue tbody tr")).to_have_count(3)

    follower = waiting(board)[0]
    board.get_by_role("button", name="Resume five9").click()
    confirm(board.get_by_role("dialog"), "Resume")
    expect(told).to_be_hidden()
    expect(row(board, follower)).to_contain_text("rows")


def test_a_double_click_does_a_deed_once(board: Page, live: Live) -> None:
    sent: list[str] = []
    board.on("request", lambda r: sent.append(r.url) if r.method == "POST" else None)
    gone = waiting(board)[0]
    dialog = press(board, gone, "Cancel")
    dialog.get_by_role("button", name="Cancel the sync").dblclick()
    expect(dialog).to_be_hidden()
    expect(row(board, gone)).to_have_count(0)
    assert len(sent) == 1
    assert live.call("audited", gone).count("cancel") == 1


def test_hostile_texts_stay_texts(board: Page, live: Live) -> None:
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    held = live.submit(7, steps=LONG, requested_by=evil, reason=evil)
    live.call("hold_task", held, change={"by": evil, "reason": evil})
    live.call("pause", "hubspot", change={"by": evil, "reason": evil})
    expect(board.locator("#held")).to_contain_text("<img src=x")
    expect(board.locator(".notice", has_text="hubspot is paused")).to_contain_text("<script>")
    assert board.locator('img[src="x"]').count() == 0
    assert board.locator("script:not([src]):not([type='application/json'])").count() == 0


def test_a_higher_limit_starts_what_waits(board: Page, live: Live) -> None:
    follower = waiting(board)[0]
    board.get_by_role("button", name="Limits").click()
    dialog = board.get_by_role("dialog")
    dialog.get_by_label("Syncs at once").fill("3")
    confirm(dialog, "Set the limit")
    expect(row(board, follower)).to_contain_text("rows")
    expect(board.get_by_text("3 of 3", exact=True)).to_be_visible()


def test_a_limit_of_one_crm_is_shown_and_taken_away(board: Page, live: Live) -> None:
    board.get_by_role("button", name="Limits").click()
    dialog = board.get_by_role("dialog")
    dialog.get_by_role("combobox", name="For").select_option("hubspot")
    dialog.get_by_label("Syncs at once").fill("1")
    confirm(dialog, "Set the limit")
    told = board.get_by_text("hubspot may run 1 at once, set by")
    expect(told).to_be_visible()

    board.get_by_role("button", name="Change the limit of hubspot").click()
    board.get_by_role("dialog").get_by_label("Syncs at once").fill("")
    confirm(board.get_by_role("dialog"), "Set the limit")
    expect(told).to_be_hidden()


def test_the_queue_is_processed_when_something_was_missed(board: Page, live: Live) -> None:
    follower = waiting(board)[0]
    # A worker that looks for free slots itself would be faster.
    live.signal_worker(signal.SIGSTOP)
    try:
        live.call("raise_limit_and_start_nothing", 3)
        expect(board.get_by_text("2 of 3", exact=True)).to_be_visible()
        board.get_by_role("button", name="Process the queue").click()
        board.get_by_role("dialog").get_by_role("button", name="Process the queue").click()
        expect(board.get_by_text("1 started.")).to_be_visible()
        expect(board.get_by_text("3 of 3", exact=True)).to_be_visible()
    finally:
        live.signal_worker(signal.SIGCONT)
    expect(row(board, follower)).to_contain_text("rows")


def test_clear_names_the_count_and_empties_the_queue(board: Page, live: Live) -> None:
    dialog = board.get_by_role("dialog")
    board.get_by_role("button", name="Clear the queue").click()
    expect(dialog).to_contain_text("All 3 waiting syncs are cancelled")
    confirm(dialog, "Cancel all waiting syncs")
    expect(board.locator("#queue")).to_have_count(0)
    assert live.call("get_stats")["queued_count"] == 0


def test_a_failed_sync_is_run_again(board: Page, live: Live) -> None:
    live.call("cancel_all")
    failed = live.submit(9, parameters={"full": True})
    live.ended(failed)
    result = board.locator("#results tr", has_text="Failed").first
    result.get_by_role("button", name="Retry").click()
    before = live.call("rows")
    confirm(board.get_by_role("dialog"), "Run again")
    expect(board.get_by_text("was submitted again")).to_be_visible()
    assert live.call("rows") == before + 1


def test_a_deed_on_what_has_changed_is_refused(board: Page, live: Live, watch: Watch) -> None:
    watch.expects_failed_requests = True
    changed = waiting(board)[0]
    dialog = press(board, changed, "priority")
    dialog.get_by_label("Priority").fill("7")
    live.call("set_priority", changed, 30, change={"by": "somebody else"})
    dialog.get_by_role("button", name="Set the priority").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Somebody was faster")
    assert task(live, changed)["priority"] == 30


def test_many_are_counted_and_then_changed(board: Page, live: Live) -> None:
    board.get_by_role("button", name="Change many").click()
    dialog = board.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Do").select_option("hold")
    expect(dialog.get_by_role("button", name="Hold tasks")).to_be_disabled()
    dialog.get_by_role("button", name="Count").click()
    expect(dialog.get_by_role("status")).to_contain_text("3 tasks will be held.")
    dialog.get_by_role("button", name="Hold 3 tasks").click()
    expect(board.get_by_text("3 done.")).to_be_visible()
    expect(board.locator("#held tr", has_text="Held")).to_have_count(3)
