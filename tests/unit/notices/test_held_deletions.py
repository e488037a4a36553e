"""Deletions that runs have held back: kept, reported, and decided by somebody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from ingestion.models import AuditRecord, HeldDeletions, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.notices import troubles
from ingestion.services.runs import held
from ingestion.services.worker_pool import WorkerPoolService
from ingestion.sync.common.run import ModelResult, Verdict
from tests.unit.notices.conftest import NOON
from tests.unit.people import browser, member

PATH = "/api/datasets/hubspot/contacts/deletions"
BODY = {"data": json.dumps({"reason": "a merge"}), "content_type": "application/json"}


def held_back(count: int | None, model: str = "contacts") -> None:
    held.note("hubspot", ModelResult(model, held_back=count, living=400))


def kinds() -> list[str]:
    return [found.kind for found in troubles.find(None, now=NOON) if found.subject == "hubspot"]


@pytest.mark.django_db
class TestKept:
    def test_the_last_run_that_could_tell_counts(self) -> None:
        held_back(30)
        held_back(None)
        assert HeldDeletions.objects.get().count == 30
        held_back(21)
        assert str(HeldDeletions.objects.get()) == "hubspot.contacts: 21 of 400"
        held_back(0)
        assert not HeldDeletions.objects.exists()

    def test_a_decision_holds_for_as_many_as_there_were(self) -> None:
        held_back(30)
        assert held.verdicts("hubspot") == {}
        held.decide("hubspot", "contacts", "dismissed", change=ChangeRequest(by="ann"))
        held_back(29)
        assert held.verdicts("hubspot") == {"contacts": Verdict("dismissed", 30)}
        assert not HeldDeletions.objects.get().is_open
        held_back(31)
        assert HeldDeletions.objects.get().is_open

    @pytest.mark.django_db(transaction=True)
    def test_a_ledger_that_is_away_fails_no_run(self, caplog: pytest.LogCaptureFixture) -> None:
        """The rows are loaded; what nobody knows to be accepted stays held back."""
        held_back(30)
        held.decide("hubspot", "contacts", "accepted")

        def refuse(*args: Any) -> None:
            raise OperationalError("database is locked")

        with connection.execute_wrapper(refuse):
            held_back(0)
            assert held.verdicts("hubspot") == {}
        assert HeldDeletions.objects.get().count == 30
        assert [record.message for record in caplog.records] == [
            "what contacts held back is not noted: The ledger's database cannot be used: "
            "database is locked",
            "what was decided about deletions of hubspot is not known: "
            "The ledger's database cannot be used: database is locked",
        ]

    def test_where_nothing_is_held_there_is_nothing_to_decide(self) -> None:
        with pytest.raises(
            held.NothingHeld, match=r"No run holds deletions of hubspot\.deals back"
        ):
            held.decide("hubspot", "deals", "accepted")

    def test_is_a_trouble_until_somebody_has_decided(self) -> None:
        held_back(30)
        held_back(25, "deals")
        (found,) = (t for t in troubles.find(None, now=NOON) if t.kind == "deletions_held")
        assert found.sentence.startswith(
            "hubspot: 55 records of contacts, deals are not in the CRM"
        )
        assert (found.level, found.path) == ("warning", "/crms/hubspot/contacts/")
        for model in ("contacts", "deals"):
            held.decide("hubspot", model, "dismissed")
        assert "deletions_held" not in kinds()


class TestByTheApi:
    def test_accepting_puts_a_full_run_into_the_queue(self, pool: WorkerPoolService) -> None:
        held_back(30)
        answer = browser(member("Operators", "ann")).post(f"{PATH}/accept", **BODY)
        assert (answer.status_code, answer.json()["decision"]) == (200, "accepted")
        run = SyncHistory.objects.get()
        assert (run.crm_source, run.sync_type) == ("hubspot", "contacts")
        assert run.configuration["parameters"] == {"mode": "full"}
        record = AuditRecord.objects.get(action="accept_deletions")
        assert (record.actor, record.reason, record.target) == (
            "ann (web)",
            "a merge",
            "hubspot.contacts",
        )

    def test_dismissing_starts_nothing(self, pool: WorkerPoolService) -> None:
        held_back(30)
        answer = browser(member("Operators", "ann")).post(f"{PATH}/dismiss", **BODY)
        assert answer.json()["decided_count"] == 30
        assert not SyncHistory.objects.exists()
        assert AuditRecord.objects.filter(action="dismiss_deletions").count() == 1

    def test_a_viewer_may_not_and_no_form_of_another_site(self, pool: WorkerPoolService) -> None:
        held_back(30)
        assert browser(member("Viewers")).post(f"{PATH}/dismiss", **BODY).status_code == 403
        without_token = browser(member("Operators", "bob"), checks_csrf=True)
        assert without_token.post(f"{PATH}/dismiss", **BODY).status_code == 403
        assert HeldDeletions.objects.get().is_open

    def test_nothing_held_is_not_found(self, pool: WorkerPoolService) -> None:
        answer = browser(member("Operators")).post(f"{PATH}/accept", **BODY)
        assert answer.status_code == 404
        assert not SyncHistory.objects.exists()


@pytest.mark.django_db
class TestOnThePage:
    def test_shows_what_is_held_and_lets_an_operator_decide(self) -> None:
        held_back(30)
        seen = browser(member("Viewers")).get("/crms/hubspot/contacts/").content.decode()
        assert "30 of 400 records are not in HubSpot any more" in seen
        assert "deletions/dismiss" not in seen
        may = browser(member("Operators", "bob")).get("/crms/hubspot/contacts/").content.decode()
        assert f'data-path="{PATH}/accept"' in may
        assert f'data-path="{PATH}/dismiss"' in may


@pytest.mark.django_db
class TestOnTheCommandLine:
    def test_dismisses(self, capsys: Any) -> None:
        held_back(30)
        call_command(
            "verify_warehouse", "hubspot", "--dismiss-deletions=contacts", "--reason=a merge"
        )
        assert "hubspot.contacts: 30 records stay as they are" in capsys.readouterr().out
        assert AuditRecord.objects.get(action="dismiss_deletions").reason == "a merge"

    def test_refuses_what_makes_no_sense(self) -> None:
        for flags in (
            ["--dismiss-deletions=contacts", "--accept-deletions=contacts"],
            ["--dismiss-deletions=contacts", "--model=contacts"],
        ):
            with pytest.raises(CommandError) as problem:
                call_command("verify_warehouse", "hubspot", *flags)
            assert problem.value.returncode == 2
        with pytest.raises(CommandError, match="No run holds deletions") as none:
            call_command("verify_warehouse", "hubspot", "--dismiss-deletions=contacts")
        assert none.value.returncode == 1
