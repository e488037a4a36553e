"""Settings of the pool that operators change while it runs; Redis holds a copy."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class PoolSetting(models.Model):
    """A limit or a pause by its name, see ``pool/controls.py``, or the ``PriorityAging`` of
    ``pool/order_rule.py``, with who set it, when and why. A limit or a pause ends by itself at
    ``expires_at``; ``revision`` counts the changes of the aging."""

    name = models.CharField(max_length=100, unique=True)
    value = models.JSONField()
    set_by = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField(default=timezone.now)
    reason = models.TextField(blank=True)
    expires_at = models.DateTimeField(null=True)
    revision = models.PositiveBigIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return f"{self.name}={self.value}"
