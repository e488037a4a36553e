"""Every disagreement that the doctor knows: produced by damage, named, cured, and gone."""

from __future__ import annotations

import pytest

from ingestion.models import AuditRecord, SyncHistory
from ingestion.pool.change import ChangeRequest
from ingestion.services.doctor import repairs as doctor_repairs
from tests.unit.doctor_damages import DAMAGES, Damage
from tests.unit.doctor_fixture import (
    DoctorFixture,
    MemoryBody,
)

EACH = pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)


class TestEveryFinding:
    @EACH
    def test_is_found_cured_and_gone(self, patient: DoctorFixture, damage: Damage) -> None:
        expected = damage(patient)
        assert patient.findings() == {expected}
        (repaired,) = patient.repair()
        assert (repaired.code, repaired.subject) == expected
        assert patient.findings() == set()

    @EACH
    def test_is_cured_by_fix_stuck_if_that_is_safe(
        self, patient: DoctorFixture, damage: Damage
    ) -> None:
        damage(patient)
        unsafe = {f for f in patient.pool.examine().findings if not f.is_safe}
        patient.pool.fix_stuck(change=ChangeRequest(by="ann"))
        assert set(patient.pool.examine().findings) == unsafe

    @EACH
    def test_its_cure_is_on_record(self, patient: DoctorFixture, damage: Damage) -> None:
        code, subject = damage(patient)
        patient.repair()
        record = AuditRecord.objects.get(action="repair")
        assert (record.actor, record.target) == ("ann", subject)
        assert record.reason.endswith("night shift")
        assert record.before["finding"] == code
        assert record.before.keys() - {"finding"} == record.after.keys() - {"repair"}

    @EACH
    def test_looking_changes_nothing(self, patient: DoctorFixture, damage: Damage) -> None:
        damage(patient)
        before = list(SyncHistory.objects.values()), AuditRecord.objects.count()
        counters = patient.body.store.snapshot().counters
        patient.pool.examine()
        assert (list(SyncHistory.objects.values()), AuditRecord.objects.count()) == before
        assert patient.body.store.snapshot().counters == counters

    @EACH
    def test_is_said_in_sentences(self, patient: DoctorFixture, damage: Damage) -> None:
        damage(patient)
        (found,) = patient.pool.examine().findings
        assert found.sentence.endswith(".")
        assert not found.repair.endswith(".")

    def test_has_a_cure(self, db: None) -> None:
        produced = {damage(DoctorFixture(MemoryBody()))[0] for damage in DAMAGES}
        with_their_own_test = {"NOT_TAKEN", "NOT_IN_HAND", "SET_ASIDE", "ORDER_UNFINISHED"}
        assert produced | with_their_own_test == set(doctor_repairs.REPAIRS)
