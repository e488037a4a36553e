"""How old a dataset may be at most, where an operator has declared it."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now


class FreshnessBound(models.Model):
    """Of one model of a CRM; it stands before what its schedules promise."""

    crm_source = models.CharField(max_length=50)
    model = models.CharField(max_length=100)
    seconds = models.FloatField()
    set_by = models.CharField(max_length=200, blank=True)
    set_at = models.DateTimeField(default=now, editable=False)
    reason = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("crm_source", "model"), name="one_bound_a_dataset"),
        )

    def __str__(self) -> str:
        return f"{self.crm_source}.{self.model} at most {self.seconds:g} s"
