"""Deletions that runs have held back, because they are many, and what somebody has decided."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now


class HeldDeletions(models.Model):
    """Records of one dataset that are not in its CRM any more, as the last run that could tell saw
    it, and that it did not mark as deleted. ``count`` of ``living`` ones. A decision holds for as many
    as it was made of (``decided_count``): with more of them somebody has to decide again. The row
    goes when no run holds any back."""

    class Decision(models.TextChoices):
        ACCEPTED = "accepted"
        DISMISSED = "dismissed"

    crm_source = models.CharField(max_length=50)
    model = models.CharField(max_length=100)
    count = models.PositiveIntegerField()
    living = models.PositiveIntegerField()
    held_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)
    decision = models.CharField(max_length=10, choices=Decision, blank=True)
    decided_count = models.PositiveIntegerField(default=0)
    decided_by = models.CharField(max_length=200, blank=True)
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "held deletions"
        constraints = (
            models.UniqueConstraint(fields=("crm_source", "model"), name="one_held_a_dataset"),
        )

    def __str__(self) -> str:
        return f"{self.crm_source}.{self.model}: {self.count} of {self.living}"

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide."""
        return not self.decision or self.count > self.decided_count
