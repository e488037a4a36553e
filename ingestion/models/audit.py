"""Who did what, when and why. Records are only added."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class AuditRecord(models.Model):
    """One action: ``submit``, ``cancel``, ``complete``, ``limit``, ``clear``, ``reset``, ``repair``.
    ``services.audit`` writes them, without secrets."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=50)
    actor = models.CharField(max_length=200)
    target = models.CharField(max_length=200, blank=True)
    reason = models.TextField(blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        ordering = ("-at", "-id")
        indexes = (
            models.Index(fields=("target",), name="audit_target_idx"),
        )  # never by its beginning

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.target}"
