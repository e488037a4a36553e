"""Who decides at present which task may run: Redis, or the ledger in its place."""

from __future__ import annotations

from django.db import models

THE_ONE = 1


class ActiveStoreStateManager(models.Manager["ActiveStoreState"]):
    def look(self) -> ActiveStoreState:
        """The record as it stands; epoch 0 before the pool was ever used."""
        return self.filter(pk=THE_ONE).first() or ActiveStoreState(pk=THE_ONE)

    def locked(self) -> ActiveStoreState:
        """The record, for this transaction alone. Every decision about who decides, and every
        decision of the ledger in Redis's place, holds this lock."""
        return self.select_for_update().get_or_create(pk=THE_ONE)[0]


class ActiveStoreState(models.Model):
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
    # What a level of priority is worth, see ``PriorityAging``, until an operator sets it: the
    # default of the process that was the first to use the pool.
    aging_seconds = models.FloatField(null=True)
    memory = models.JSONField(default=dict)
    # Which installation this is, made once; the pool's state in Redis bears it. ``database`` is
    # where it was made, so that a copy of the database is noticed.
    installation = models.CharField(max_length=32, blank=True, default="", db_default="")
    database = models.TextField(blank=True, default="", db_default="")

    objects = ActiveStoreStateManager()

    class Meta:
        # Workers of an older release read the table under this name during a rolling upgrade.
        db_table = "ingestion_poolreferee"

    def agree_on_aging(self, default_seconds: float) -> None:
        """For whoever holds the lock, and saves it."""
        if self.aging_seconds is None:
            self.aging_seconds = default_seconds

    def __str__(self) -> str:
        return f"{'ledger' if self.is_degraded else 'redis'}, epoch {self.epoch}"


class PoolAnswer(models.Model):
    """The answer to an operation token, for a caller that lost the reply and calls again."""

    token = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField(db_index=True)
    answer = models.JSONField()

    def __str__(self) -> str:
        return self.token
