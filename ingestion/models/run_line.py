"""What a run has logged of itself."""

from __future__ import annotations

from django.db import models


class RunLine(models.Model):
    """One line. ``number`` counts the lines of a run from 1; where numbers are missing, lines of
    the middle were cut."""

    run = models.ForeignKey("ingestion.SyncHistory", on_delete=models.CASCADE, related_name="lines")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    level = models.CharField(max_length=10)
    model = models.CharField(max_length=100, blank=True)
    text = models.TextField()

    class Meta:
        ordering = ("run", "number")
        constraints = (models.UniqueConstraint(fields=("run", "number"), name="one_line_a_number"),)

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.level} {self.text}"
