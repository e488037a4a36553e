"""The filters of the lists: what a reader types, as values."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import forms

from ingestion.models import SyncHistory
from ingestion.sync.common.registry import crms

ANY = ("", "any")


class DateInput(forms.DateInput):
    input_type = "date"


class Days(forms.Form):
    """Days in the reader's zone, which the page's script fills in."""

    since = forms.DateField(label="From", required=False, widget=DateInput)
    until = forms.DateField(label="Until", required=False, widget=DateInput)
    zone = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def clean_zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.cleaned_data["zone"] or "UTC")
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return ZoneInfo("UTC")

    def moments(self) -> tuple[datetime | None, datetime | None]:
        """From the first moment of ``since`` to the first one after ``until``."""
        since, until = self.cleaned_data.get("since"), self.cleaned_data.get("until")
        zone = self.cleaned_data["zone"]
        return (
            datetime.combine(since, time.min, zone) if since else None,
            datetime.combine(until + timedelta(days=1), time.min, zone) if until else None,
        )


class HistoryFilter(Days):
    crm_source = forms.ChoiceField(label="CRM", required=False)
    sync_type = forms.CharField(label="Sync type", required=False, max_length=100)
    status = forms.ChoiceField(
        label="Status", required=False, choices=[ANY, *((s, s) for s in SyncHistory.Status)]
    )
    text = forms.CharField(label="Text or task", required=False, max_length=200)
    field_order = ("crm_source", "sync_type", "status", "since", "until", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = [(name, crm.title) for name, crm in crms().items()]
        self.fields["crm_source"] = forms.ChoiceField(
            label="CRM", required=False, choices=[ANY, *names]
        )


class AuditFilter(Days):
    action = forms.ChoiceField(label="Action", required=False)
    actor = forms.CharField(label="Who", required=False, max_length=200)
    target = forms.CharField(label="On what", required=False, max_length=200)
    field_order = ("action", "actor", "target", "since", "until")

    def __init__(self, *args: Any, actions: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"] = forms.ChoiceField(
            label="Action", required=False, choices=[ANY, *((a, a) for a in actions)]
        )
