"""What a dataset's table was counted to hold, so that no page has to count."""

from __future__ import annotations

from django.db import models


class DatasetProfile(models.Model):
    """Of one model of a CRM. ``rows``: living ones. ``columns``: by name ``filled`` (a share of the
    living rows that were looked at, ``sampled_rows``) and ``distinct`` (a count in them).
    ``loaded_at``: the end of the last load that it knows of."""

    crm_source = models.CharField(max_length=50)
    model = models.CharField(max_length=100)
    rows = models.BigIntegerField(default=0)
    deleted_rows = models.BigIntegerField(default=0)
    size_bytes = models.BigIntegerField(null=True)
    sampled_rows = models.BigIntegerField(default=0)
    columns = models.JSONField(default=dict)
    loaded_at = models.DateTimeField(null=True)
    counted_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("crm_source", "model"), name="one_profile_a_dataset"),
        )

    def __str__(self) -> str:
        return f"{self.crm_source}.{self.model}: {self.rows} rows"
