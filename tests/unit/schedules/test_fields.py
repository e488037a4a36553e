"""What a schedule may say, and how it is moved to another system."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django_celery_beat.models import PeriodicTask

from ingestion.models import SyncSchedule
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.errors import InvalidSchedule
from tests.unit.schedules.given import made

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": " "}, "name", "1 to 150"),
        ({"crm_source": "acme"}, "crm_source", "known are"),
        ({"model_name": "contact"}, "model_name", "hubspot has contacts"),
        ({"mode": "fast"}, "mode", "delta, full, force7"),
        ({"execution": "thread"}, "execution", "pool, direct"),
        ({"options": {"batch_size": 0}}, "options", "1 to 10000"),
        ({"options": {"color": "red"}}, "options", "known are"),
        ({"options": {"full": True}}, "options", "by the field mode"),
        ({"options": {"api_key": "x"}}, "options", "credential"),
        ({"mode": "full", "options": {"since": "2026-01-01"}}, "options", "contradict"),
        ({"priority": 2000}, "priority", "-1000"),
        ({"every": 0}, "every", "from 1"),
        ({"every": 5, "period": "seconds"}, "every", "10 seconds"),
        ({"period": "weeks"}, "period", "minutes"),
        ({"recurrence": "crontab", "minute": "61"}, "minute", "61"),
        ({"recurrence": "crontab", "day_of_month": "31", "month_of_year": "2"}, "minute", "never"),
        ({"recurrence": "crontab", "timezone": "Mars/Base"}, "timezone", "Europe/Berlin"),
        ({"start_at": "soon"}, "start_at", "2026-01-31T06:00:00Z"),
        ({"start_at": "2026-03-03", "end_at": "2026-03-02"}, "end_at", "after start_at"),
        ({"color": "red"}, "color", "unknown"),
    ],
)
def test_refuses_what_would_fail_at_night(
    clock: time_machine.Coordinates, fields: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(InvalidSchedule) as refused:
        made(**fields)
    assert says in refused.value.fields[field]
    assert not SyncSchedule.objects.exists()
    assert not PeriodicTask.objects.filter(task="ingestion.run_ingestion").exists()


def test_an_export_can_be_read_again(clock: time_machine.Coordinates) -> None:
    made(options={"max_records": 5}, start_at="2026-03-03T00:00:00Z")
    made(name="nightly", recurrence="crontab", minute="0", hour="4", every=None, period="")
    kept = schedules.export_all()["schedules"]
    assert schedules.import_all(kept) == {"created": 0, "changed": 0, "unchanged": 2}
    SyncSchedule.objects.all().delete()
    assert schedules.import_all(kept)["created"] == 2
    assert schedules.export_all()["schedules"] == kept


def test_an_import_is_all_or_nothing(clock: time_machine.Coordinates) -> None:
    good = {
        "name": "a",
        "crm_source": "genius",
        "model_name": "leads",
        "every": 1,
        "period": "days",
    }
    with pytest.raises(InvalidSchedule, match="b, model_name"):
        schedules.import_all([good, {**good, "name": "b", "model_name": "lead"}])
    assert not SyncSchedule.objects.exists()
