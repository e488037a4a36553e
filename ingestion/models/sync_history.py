"""The ledger: one row per run of a sync, whichever entry point it came through."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models
from django.utils import timezone

from ingestion.models.active_store import ActiveStoreState

# Nobody has moved it since its submission.
HAS_ENDED = models.Q(end_time__isnull=False)
FIRST_PLACE = models.Q(pool_status=None) | models.Q(pool_status="queued", revision=1)


class SyncHistoryManager(models.Manager["SyncHistory"]):
    """Every change of state is a conditional UPDATE: False means somebody got there first.

    ``kept`` are the columns of what the pool's store said; with an ``epoch`` they are written only
    while Redis decides, in that epoch of its state.
    """

    def mark_queued(
        self,
        task_id: str,
        *,
        attempt: int,
        error_message: str | None,
        columns: Mapping[str, Any] | None = None,
        epoch: int | None = None,
    ) -> bool:
        """A running attempt goes back to the queue."""
        rows = self.open_row(task_id, epoch).filter(
            status=SyncHistory.Status.RUNNING, attempt__lte=attempt
        )
        status = SyncHistory.Status.QUEUED
        return bool(rows.update(status=status, error_message=error_message, **(columns or {})))

    def mark_accepted(self, places: Mapping[str, int], *, epoch: int) -> int:
        """The store has given these tasks their places, µs by task id; how many rows took theirs."""
        rows = self.filter(
            models.Exists(ActiveStoreState.objects.filter(epoch=epoch, is_degraded=False)),
            FIRST_PLACE,
            worker_pool_task_id__in=places,
            status__in=SyncHistory.OPEN_STATUSES,
        )
        place = models.Case(
            *(models.When(worker_pool_task_id=id, then=us) for id, us in places.items()),
            output_field=models.BigIntegerField(),
        )
        return rows.update(pool_status="queued", revision=1, queued_us=place) if places else 0

    def mark_placed(
        self, task_id: str, *, revision: int, columns: Mapping[str, Any], epoch: int
    ) -> bool:
        """An operator has changed the place of a queued task. Of two changes the later one counts."""
        rows = self.open_row(task_id, epoch).filter(
            status=SyncHistory.Status.QUEUED, revision__lt=revision
        )
        return bool(rows.update(**columns))

    def open_row(self, task_id: str, epoch: int | None = None) -> models.QuerySet[SyncHistory]:
        """The row of a task that has not ended; none when another state is in force."""
        rows = self.filter(worker_pool_task_id=task_id, status__in=SyncHistory.OPEN_STATUSES)
        if epoch is None:
            return rows
        in_force = ActiveStoreState.objects.filter(epoch=epoch, is_degraded=False)
        return rows.filter(models.Exists(in_force))

    def close_run(
        self,
        history_id: int,
        *,
        status: str,
        error_message: str | None,
        error_class: str = "",
        counts: Mapping[str, int] | None = None,
        performance_metrics: Mapping[str, Any] | None = None,
    ) -> bool:
        """End the row of a run that did not come through the pool."""
        rows = self.filter(pk=history_id, status__in=SyncHistory.OPEN_STATUSES)
        columns = self.closing_columns(
            status,
            error_message=error_message,
            error_class=error_class,
            counts=counts,
            performance_metrics=performance_metrics,
        )
        return bool(rows.update(**columns))

    @staticmethod
    def closing_columns(
        status: str,
        *,
        error_message: str | None,
        error_class: str = "",
        counts: Mapping[str, int] | None = None,
        performance_metrics: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """What ends a row now; ``counts``: of records, by what became of them."""
        columns: dict[str, Any] = {
            "status": status,
            "error_message": error_message,
            "error_class": error_class,
            "end_time": timezone.now(),
            **{f"records_{name}": number for name, number in (counts or {}).items()},
        }
        if performance_metrics is not None:
            columns["performance_metrics"] = dict(performance_metrics)
        return columns


class SyncHistory(models.Model):
    """One run. A task of the pool has its row from its submission on."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        SUCCESS = "success"
        PARTIAL = "partial"
        FAILED = "failed"
        CANCELLED = "cancelled"

    OPEN_STATUSES = (Status.QUEUED, Status.RUNNING)

    crm_source = models.CharField(max_length=50)
    sync_type = models.CharField(max_length=100)
    endpoint = models.CharField(max_length=255, blank=True)
    start_time = models.DateTimeField(default=timezone.now, db_index=True)
    end_time = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    records_processed = models.BigIntegerField(default=0)
    records_created = models.BigIntegerField(default=0)
    records_updated = models.BigIntegerField(default=0)
    records_deleted = models.BigIntegerField(default=0)
    records_failed = models.BigIntegerField(default=0)
    error_message = models.TextField(null=True, blank=True)
    # Of a failed run: the word of its error, see ``sync.common.errors``. Empty for runs of before
    # failures were classed.
    error_class = models.CharField(max_length=30, blank=True, default="", db_default="")
    configuration = models.JSONField(default=dict, blank=True)
    performance_metrics = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    worker_pool_task_id = models.CharField(max_length=36, null=True, blank=True)
    attempt = models.PositiveIntegerField(default=0)
    schedule = models.ForeignKey(
        "ingestion.SyncSchedule",
        on_delete=models.SET_NULL,
        null=True,
        related_name="runs",
        db_index=False,  # the one by schedule and start is enough
    )

    # What the pool's store last said of the task, so that a lost store can be built again from here
    # and the ledger can take its place. Null until the store has accepted the task.
    pool_status = models.CharField(max_length=20, null=True, editable=False)
    priority = models.IntegerField(default=0, editable=False)
    queued_us = models.BigIntegerField(null=True, editable=False)  # its place, µs since 1970
    delayed_us = models.BigIntegerField(null=True, editable=False)  # waits until, µs since 1970
    ended_us = models.BigIntegerField(null=True, editable=False)  # retained since, µs since 1970
    held_us = models.BigIntegerField(null=True, editable=False)  # held since, µs since 1970
    front_score = models.BigIntegerField(null=True, editable=False)  # of the front it was moved to
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    parameters_digest = models.CharField(max_length=40, null=True, editable=False)
    confirm_token = models.CharField(max_length=64, null=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, editable=False)
    # How the attempt ended, noted before the store was told: {"attempt", "at", "status", ...}.
    outcome = models.JSONField(null=True, editable=False)
    pool_state = models.JSONField(null=True, editable=False)  # the rest of WorkerTask.to_dict

    objects = SyncHistoryManager()

    class Meta:
        ordering = ("-start_time", "-id")
        verbose_name_plural = "sync history"
        # Also found by the beginning of its id, for which PostgreSQL would keep a second index.
        constraints = (
            models.UniqueConstraint(
                fields=("worker_pool_task_id",),
                name="one_run_a_task",
                opclasses=("varchar_pattern_ops",),
            ),
        )
        # A row is written four times in the life of a task, and each time into the index of every
        # query that may find it. So those that find ended rows alone leave the others out.
        indexes = (
            models.Index(fields=("crm_source", "sync_type", "-start_time")),
            # The pages of one CRM: its runs by their start, and by their end, also of one type.
            models.Index(fields=("crm_source", "-start_time", "-id"), name="history_crm_start_idx"),
            models.Index(
                fields=("crm_source", "-end_time"), name="ended_by_crm_idx", condition=HAS_ENDED
            ),
            models.Index(
                fields=("crm_source", "sync_type", "-end_time"),
                name="ended_by_route_idx",
                condition=HAS_ENDED,
            ),
            models.Index(fields=("end_time",), name="ended_idx", condition=HAS_ENDED),
            models.Index(fields=("status", "start_time")),
            models.Index(
                fields=("schedule", "-start_time"),
                name="of_schedule_idx",
                condition=models.Q(schedule__isnull=False),
            ),
            models.Index(fields=("pool_status", "queued_us")),
            models.Index(
                fields=("pool_status", "ended_us"),
                name="retained_idx",
                condition=models.Q(ended_us__isnull=False),
            ),
            models.Index(
                fields=("crm_source", "sync_type", "parameters_digest"),
                name="queued_overlap_idx",
                condition=models.Q(pool_status="queued"),
            ),
        )

    def __str__(self) -> str:
        return f"{self.crm_source}.{self.sync_type} {self.status} {self.start_time:%Y-%m-%d %H:%M}"

    @property
    def left_the_queue(self) -> bool:
        """False for a task that was cancelled while it waited; its ``start_time`` is then that of
        its submission."""
        is_cancelled = self.status == self.Status.CANCELLED
        return not (is_cancelled and self.worker_pool_task_id and not self.attempt)

    @property
    def duration_seconds(self) -> float | None:
        """From start to end; None while it has not ended, and of a task that never left the queue:
        to wait is no work."""
        if self.end_time is None or not self.left_the_queue:
            return None
        return (self.end_time - self.start_time).total_seconds()

    @property
    def records_per_second(self) -> float | None:
        """Processed records by duration; None without a duration."""
        duration = self.duration_seconds
        return self.records_processed / duration if duration else None

    @classmethod
    def get_last_sync_timestamp(cls, crm_source: str, sync_type: str) -> datetime | None:
        """When the last successful run of this route ended; None if there is none."""
        return (
            cls.objects.filter(
                HAS_ENDED,
                crm_source=crm_source,
                sync_type=sync_type,
                status=cls.Status.SUCCESS,
            )
            .order_by("-end_time")
            .values_list("end_time", flat=True)
            .first()
        )
