"""Who decides at present which task may run: Redis, or the ledger in its place."""

from __future__ import annotations

from django.db import models

THE_ONE = 1


class PoolRefereeManager(models.Manager["PoolReferee"]):
    def look(self) -> PoolReferee:
        """The record as it stands; epoch 0 before the pool was ever used."""
        return self.filter(pk=THE_ONE).first() or PoolReferee(pk=THE_ONE)

    def locked(self) -> PoolReferee:
        """The record, for this transaction alone. Every decision about who decides, and every
        decision of the ledger in Redis's place, holds this lock."""
        return self.select_for_update().get_or_create(pk=THE_ONE)[0]


class PoolReferee(models.Model):
    """One row. ``epoch`` counts the states that were built, in Redis or here; what was decided in
    an earlier one is no longer written down. ``memory`` is what a store keeps beside its tasks."""

    epoch = models.PositiveBigIntegerField(default=0)
    is_degraded = models.BooleanField(default=False)
    since = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)
    by = models.CharField(max_length=200, blank=True)
    # While degraded: nothing starts before the one, and nobody goes back to Redis before the other.
    quiet_until = models.DateTimeField(null=True)
    stays_until = models.DateTimeField(null=True)
    recovered_at = models.DateTimeField(null=True)
    memory = models.JSONField(default=dict)

    objects = PoolRefereeManager()

    def __str__(self) -> str:
        return f"{'ledger' if self.is_degraded else 'redis'}, epoch {self.epoch}"


class PoolAnswer(models.Model):
    """The answer to an operation token, for a caller that lost the reply and calls again."""

    token = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField(db_index=True)
    answer = models.JSONField()

    def __str__(self) -> str:
        return self.token
