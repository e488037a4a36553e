"""A schedule's life in a browser: made with a preview of its times, changed, deleted."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.watch import Watch

pytestmark = [pytest.mark.e2e, pytest.mark.redis, pytest.mark.worker]


def confirm(page: Page, name: str, *, reason: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name=name, exact=True).click()


def test_a_schedule_is_made_switched_off_and_deleted(page: Page, watch: Watch) -> None:
    # The form asks what is wrong with it while it is filled in.
    watch.expects_failed_requests = True
    words, hour = page.locator("#preview-words"), page.get_by_role("textbox", name="Hour")
    page.goto("/schedules/new/")
    page.get_by_label("Name").fill("nightly leads")
    page.get_by_label("CRM").select_option("genius")
    page.get_by_label("Model").select_option("leads")
    page.get_by_label("Recurrence").select_option("crontab")
    hour.fill("25")
    expect(words).to_contain_text("hour: '25' is no crontab field")
    expect(hour).to_have_attribute("aria-invalid", "true")
    hour.fill("4")
    expect(words).to_have_text("Runs at 04:00, UTC time:")
    expect(page.locator("#preview-runs li")).to_have_count(5)
    page.get_by_role("button", name="Make the schedule").click()

    expect(page.get_by_role("heading", name="nightly leads")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Model")).to_have_value("leads")
    hour.fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("At 05:00, UTC time.")).to_be_visible()

    page.get_by_role("button", name="Switch off: nightly leads").click()
    confirm(page, "Switch off", reason="holidays")
    expect(page.get_by_text("It is switched off.")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    confirm(page, "Delete", reason="over")
    expect(page.get_by_text("There is no schedule yet.")).to_be_visible()
