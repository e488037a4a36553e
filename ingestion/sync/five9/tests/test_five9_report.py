"""A report of changed contacts makes runs incremental."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.source import Window
from ingestion.sync.five9.engines.soap import SoapHttp
from ingestion.sync.five9.tests.conftest import LATER, MODEL, Five9
from sandbox.crms.five9 import service

REPORT = {
    "FIVE9_REPORT_FOLDER": service.REPORT_FOLDER,
    "FIVE9_REPORT_NAME": service.REPORT_NAME,
}
SINCE_THEN = Window(since=LATER - timedelta(hours=1), until=LATER + timedelta(hours=1))


def modified(five9: Five9, at: datetime) -> set[str]:
    return {c.id for c in five9.sandbox.domain.contacts.values() if c.modified == at}


def test_without_a_report_every_run_reads_everything(five9: Five9) -> None:
    assert five9.source().adapted(MODEL).incremental == "full"


def test_with_a_report_runs_are_incremental(five9: Five9) -> None:
    assert five9.source(**REPORT).adapted(MODEL).incremental == "run_start"


def test_only_contacts_that_the_report_names_are_looked_up(five9: Five9) -> None:
    five9.sandbox.tick(LATER)

    found = five9.ids(SINCE_THEN, **REPORT)

    # Whoever shares a number with a changed contact comes along.
    assert modified(five9, LATER) <= set(found)
    assert len(found) == len(set(found)) < 40
    assert "" not in five9.sandbox.lookups


def test_a_contact_that_two_numbers_find_comes_once(five9: Five9) -> None:
    five9.sandbox.domain.contacts.clear()
    five9.sandbox.domain.add({"number1": "6155550101", "number2": "6155550102"}, LATER)
    five9.sandbox.domain.add({"number2": "6155550102"}, LATER)

    assert len(five9.ids(SINCE_THEN, **REPORT)) == 2


def test_everything_is_read_without_the_report(five9: Five9) -> None:
    assert len(five9.ids(**REPORT)) == 150
    assert "runReport" not in five9.sandbox.operations


def test_a_report_is_asked_for_until_it_is_made(five9: Five9) -> None:
    five9.sandbox.behavior.report_polls = 3
    five9.sandbox.tick(LATER)

    assert five9.ids(SINCE_THEN, **REPORT)
    assert five9.sandbox.operations.count("isReportRunning") == 4


def test_a_report_that_is_never_made_is_transient(
    five9: Five9, monkeypatch: pytest.MonkeyPatch
) -> None:
    five9.sandbox.behavior.report_polls = 10_000
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr("ingestion.sync.five9.report.monotonic", lambda: next(clock))
    monkeypatch.setattr("ingestion.sync.five9.report.FIRST_PACE_SECONDS", 0.001)

    with pytest.raises(TransientError, match="was not made within 600 seconds"):
        five9.ids(SINCE_THEN, **REPORT)


def test_a_domain_that_answers_at_once_is_asked_at_a_pace(
    five9: Five9, monkeypatch: pytest.MonkeyPatch
) -> None:
    five9.sandbox.behavior.report_polls = 6
    pauses: list[float] = []
    monkeypatch.setattr(SoapHttp, "pause", lambda self, seconds: pauses.append(seconds))

    five9.ids(SINCE_THEN, **REPORT)

    assert [p for p in pauses if p] == [0.5, 1, 2, 4, 5, 5]


@pytest.mark.parametrize(
    ("written", "held"),
    [
        ("615-555-0001", "6155550001"),
        ("(615) 555-0001", "6155550001"),
        ("16155550001", "6155550001"),
        ("+1 615 555 0001", "6155550001"),
        ("6155550001", "+16155550001"),
        ("6155550001", "16155550001"),
    ],
)
def test_a_number_that_the_report_writes_in_another_form_is_found(
    five9: Five9, monkeypatch: pytest.MonkeyPatch, written: str, held: str
) -> None:
    changed = five9.sandbox.domain.add({"number1": held}, LATER)
    others = {"contactID": changed.id, "number1": written}
    monkeypatch.setattr(
        service, "_report_row", lambda c: [others.get(n) for n in service.REPORT_FIELDS]
    )

    assert five9.ids(SINCE_THEN, **REPORT) == [changed.id]


def test_a_number_that_no_form_finds_makes_it_read_everything(
    five9: Five9, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = five9.sandbox.domain.add({"number1": "6155550001"}, LATER)
    monkeypatch.setattr(service, "_report_row", lambda c: ["555 0001"] * len(service.REPORT_FIELDS))

    assert changed.id in five9.ids(SINCE_THEN, **REPORT)


def test_a_result_that_is_not_ready_is_asked_for_again(five9: Five9) -> None:
    five9.sandbox.tick(LATER)
    source = five9.source(**REPORT)
    admin = source._admin
    five9.sandbox.behavior.report_polls = 1
    identifier = admin.run_report(*REPORT.values(), LATER, LATER)
    with pytest.raises(TransientError, match="ResultIsNotReadyFault"):
        admin.report_result(identifier)
    assert five9.sandbox.operations.count("getReportResult") == 3

    admin.is_report_running(identifier, poll_seconds=5)
    assert admin.report_result(identifier).rows


def test_a_report_that_is_cut_off_is_divided_by_time(five9: Five9) -> None:
    for minute in range(30):
        five9.sandbox.domain.add(
            {"number1": f"20155500{minute:02d}"}, LATER + timedelta(minutes=minute)
        )
    five9.sandbox.behavior.report_limit = 8

    found = five9.ids(
        Window(since=LATER, until=LATER + timedelta(hours=1)), FIVE9_REPORT_LIMIT="8", **REPORT
    )

    assert len(found) == 30


def test_a_report_that_cannot_be_divided_is_an_error(five9: Five9) -> None:
    five9.sandbox.tick(LATER)
    five9.sandbox.behavior.report_limit = 3

    with pytest.raises(PermanentError, match="cuts off Warehouse/Changed Contacts at 3 rows"):
        five9.ids(SINCE_THEN, FIVE9_REPORT_LIMIT="3", **REPORT)


def test_more_changes_than_lookups_are_worth_read_everything(five9: Five9) -> None:
    five9.sandbox.tick(LATER)

    found = five9.ids(SINCE_THEN, FIVE9_MAX_LOOKUPS="5", **REPORT)

    assert set(found) == set(five9.sandbox.domain.contacts)


def test_a_changed_contact_without_a_number_makes_it_read_everything(five9: Five9) -> None:
    five9.sandbox.domain.add({"email": "dana@example.com"}, LATER)

    assert len(five9.ids(SINCE_THEN, **REPORT)) == 151


def test_the_range_is_told_in_the_zone_of_the_domain(
    five9: Five9, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []
    admin = five9.source(**REPORT)._admin
    monkeypatch.setattr(
        type(admin), "run_report", lambda self, *args: told.extend(args) or "0" * 32
    )
    with pytest.raises(PermanentError):
        five9.ids(SINCE_THEN, **REPORT)

    assert [moment.isoformat() for moment in told[2:]] == [
        "2026-11-01T03:00:00-08:00",
        "2026-11-01T05:00:00-08:00",
    ]


def test_an_unknown_report_is_an_error_that_names_the_settings(five9: Five9) -> None:
    with pytest.raises(PermanentError, match=r"ReportNotFoundFault.*check FIVE9_REPORT_FOLDER"):
        five9.ids(SINCE_THEN, FIVE9_REPORT_FOLDER="Warehouse", FIVE9_REPORT_NAME="Nothing")


def test_half_a_report_is_an_error(five9: Five9) -> None:
    with pytest.raises(PermanentError, match="set both FIVE9_REPORT_FOLDER and"):
        five9.source(FIVE9_REPORT_NAME="Changed Contacts")


def test_a_report_without_numbers_is_an_error_that_names_the_column(
    five9: Five9, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "REPORT_FIELDS", ("contactID", "Last Modified"))
    five9.sandbox.tick(LATER)

    with pytest.raises(PermanentError, match="has no column number1; add it to the report"):
        five9.ids(SINCE_THEN, **REPORT)


def test_a_window_without_a_report_leaves_out_what_was_changed_outside_of_it(five9: Five9) -> None:
    five9.sandbox.tick(LATER)

    assert set(five9.ids(SINCE_THEN)) == modified(five9, LATER)
    before = Window(until=datetime(2026, 1, 5, 17, tzinfo=UTC))
    assert 0 < len(five9.ids(before, **REPORT)) < 150
