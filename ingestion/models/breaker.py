"""Whether a CRM is left in peace."""

from __future__ import annotations

from django.db import models


class CrmBreaker(models.Model):
    """The circuit breaker of one CRM. ``recent``: how its last attempts ended, the latest last.
    ``probe_at``: when one run may try it again; null while somebody has to act."""

    class Kind(models.TextChoices):
        TRANSIENT = "transient"
        CREDENTIALS = "credentials"
        QUOTA = "quota"
        BY_HAND = "by_hand"

    crm_source = models.CharField(max_length=50, unique=True)
    is_open = models.BooleanField(default=False)
    kind = models.CharField(max_length=20, choices=Kind, blank=True)
    sentence = models.TextField(blank=True)
    recent = models.JSONField(default=list)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    interval_seconds = models.FloatField(default=0)
    changed_by = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.crm_source} {'open' if self.is_open else 'closed'}"
