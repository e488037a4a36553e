"""Settings of the pool that operators change while it runs; Redis holds a copy."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class PoolSetting(models.Model):
    """A limit or a pause by its name, see ``pool/controls.py``, with who set it, when and why; it ends
    by itself at ``expires_at``."""

    name = models.CharField(max_length=100, unique=True)
    value = models.JSONField()
    set_by = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
