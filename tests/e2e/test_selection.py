"""Rows of the queue that are marked, and what is done with all of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.live import Live
from tests.e2e.operating import LONG, board_of, empty_again, row, waiting
from tests.e2e.watch import Watch
from tests.integration.system import wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]


@pytest.fixture(autouse=True)
def two_run_and_four_wait(live: Live) -> Iterator[list[str]]:
    """The ids of the four."""
    yield [live.submit(label, steps=LONG) for label in range(1, 7)][2:]
    empty_again(live)


@pytest.fixture
def board(page: Page, two_run_and_four_wait: list[str]) -> Page:
    return board_of(page, two_run_and_four_wait)


def box(page: Page, task_id: str) -> Locator:
    return row(page, task_id).get_by_role("checkbox")


def said(page: Page) -> Locator:
    return page.get_by_role("group", name="Selected syncs").get_by_role("status")


def change(page: Page, action: str) -> Locator:
    """The dialog for what is marked, with its count."""
    page.get_by_role("button", name="Change the selected").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Do").select_option(action)
    return dialog


def test_the_marked_are_counted_and_then_changed(board: Page, live: Live) -> None:
    first, second, third, fourth = waiting(board)
    before = live.call("audited", "").count("hold_many")
    for task_id in (second, third):
        box(board, task_id).check()
    expect(said(board)).to_have_text("2 selected")

    dialog = change(board, "hold")
    expect(dialog.get_by_role("status")).to_have_text("2 tasks will be held.")
    expect(dialog.get_by_role("combobox")).to_have_count(1)  # no filter is asked for
    dialog.get_by_label("Why").fill("month end")
    dialog.get_by_role("button", name="Hold 2 tasks").dblclick()

    expect(dialog).to_be_hidden()
    expect(board.get_by_text("2 done.")).to_be_visible()
    expect(board.locator("#held tbody tr")).to_have_count(2)
    expect(said(board)).to_have_text("")
    assert waiting(board) == [first, fourth]
    assert live.task(second)["held_reason"] == "month end"
    assert live.call("audited", "").count("hold_many") == before + 1


def test_marks_outlive_new_data_and_go_with_their_task(board: Page, live: Live) -> None:
    first, second = waiting(board)[:2]
    for task_id in (first, second):
        box(board, task_id).check()

    comes = live.submit(8, steps=LONG)
    expect(row(board, comes)).to_be_visible()
    expect(box(board, first)).to_be_checked()
    expect(box(board, comes)).not_to_be_checked()

    live.call("cancel_task", first)
    expect(row(board, first)).to_have_count(0)
    expect(said(board)).to_have_text("1 selected")
    expect(box(board, second)).to_be_checked()


def test_all_shown_are_marked_and_a_half_mark_says_some(board: Page) -> None:
    whole = board.get_by_role("checkbox", name="All shown")
    whole.check()
    expect(said(board)).to_have_text("4 selected")
    box(board, waiting(board)[0]).uncheck()
    expect(whole).not_to_be_checked()
    assert whole.evaluate("box => box.indeterminate")
    board.get_by_role("button", name="Select none").click()
    expect(said(board)).to_have_text("")
    assert not whole.evaluate("box => box.indeterminate")


def test_the_keyboard_is_enough(board: Page, live: Live) -> None:
    first, second, third, _ = waiting(board)
    box(board, first).focus()
    board.keyboard.press("Space")
    board.keyboard.press("ArrowDown")
    expect(box(board, second)).to_be_focused()
    board.keyboard.press("ArrowDown")
    board.keyboard.press("Shift+Space")
    expect(said(board)).to_have_text("3 selected")

    board.get_by_role("button", name="Change the selected").press("Enter")
    dialog = board.get_by_role("dialog")
    expect(dialog.get_by_role("status")).to_have_text("3 tasks will be cancelled.")
    dialog.get_by_role("button", name="Cancel 3 tasks").press("Enter")
    expect(board.locator("#queue tbody tr")).to_have_count(1)
    assert live.task(third)["status"] == "cancelled"


def test_what_started_meanwhile_is_named_and_left_alone(board: Page, live: Live) -> None:
    starts, waits = waiting(board)[:2]
    board.get_by_label("Update the page").select_option("0")
    for task_id in (starts, waits):
        box(board, task_id).check()
    live.call("set_max_workers", 3, change={"by": "tests"})
    wait_for(lambda: live.task(starts)["status"] == "running", what="the start")

    dialog = change(board, "prioritize")
    expect(dialog.get_by_role("status")).to_contain_text(
        "1 task of the 2 selected will get priority 10."
    )
    dialog.get_by_role("button", name="Set the priority of 1 task").click()
    expect(board.get_by_text("1 done.")).to_be_visible()
    assert (live.task(waits)["priority"], live.task(starts)["priority"]) == (10, 0)


def test_what_changes_while_the_dialog_is_open_is_counted_again(
    board: Page, live: Live, watch: Watch
) -> None:
    watch.expects_failed_requests = True
    first, second = waiting(board)[:2]
    for task_id in (first, second):
        box(board, task_id).check()
    dialog = change(board, "move_to_front")
    expect(dialog.get_by_role("status")).to_have_text("2 tasks will move to the front.")
    live.call("cancel_task", first)
    dialog.get_by_role("button", name="Move 2 tasks to the front").click()
    expect(dialog.get_by_role("alert")).to_contain_text("nothing was done")
    expect(dialog.get_by_role("status")).to_contain_text("1 task of the 2 selected")


def test_marks_stay_while_pages_are_turned(board: Page, live: Live) -> None:
    for label in range(7, 7 + 30):
        live.submit(label, steps=LONG)
    later = board.get_by_role("button", name="Next")
    expect(later).to_be_visible()
    first = waiting(board)[0]
    box(board, first).check()
    later.click()
    expect(row(board, first)).to_have_count(0)
    box(board, waiting(board)[0]).check()
    expect(said(board)).to_have_text("2 selected")
    board.get_by_role("button", name="Previous").click()
    expect(box(board, first)).to_be_checked()


def test_runs_of_the_history_are_run_again_together(page: Page, live: Live) -> None:
    live.call("past_runs", "callrail", "calls", 2, 60)
    page.goto("/history/?crm_source=callrail&status=success")
    before = live.call("rows")
    for place in (0, 1):
        page.get_by_role("checkbox", name="Select callrail.calls").nth(place).check()
    page.get_by_role("button", name="Run 2 selected runs again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("what two of them asked is done once")
    dialog.get_by_label("Why").fill("the CRM is back")
    dialog.get_by_role("button", name="Run 2 selected runs again").dblclick()
    expect(page.get_by_text("Submitted again")).to_be_visible()
    assert live.call("rows") == before + 1

    page.goto("/")
    expect(page.locator("#queue")).to_contain_text("callrail.calls")
