"""What is wrong or was, how people and programs are told of it, and what became of each notice."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now


class NoticeLevel(models.TextChoices):
    """From the least to the most urgent."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Trouble(models.Model):
    """One thing that is wrong, from when it was first seen until it is over. ``kind`` and
    ``subject`` name it; ``open_key`` is both while it is open, so that it is open only once.
    ``told_at``: when a notice of it was made; a trouble that passes before that is told to nobody."""

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, blank=True)
    open_key = models.CharField(max_length=250, null=True, unique=True, editable=False)
    level = models.CharField(max_length=10, choices=NoticeLevel)
    sentence = models.TextField()
    path = models.CharField(max_length=200, blank=True)
    count = models.PositiveIntegerField(default=1)
    began_at = models.DateTimeField(default=now)
    seen_at = models.DateTimeField(default=now)
    told_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-began_at", "-id")
        indexes = (models.Index(fields=("ended_at", "-began_at")),)

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


class NoticeChannel(models.Model):
    """What of it a channel of ``NOTICE_CHANNELS`` is told: from ``level`` on, and outside the quiet
    hours, which are told afterwards unless it is critical."""

    name = models.CharField(max_length=50, unique=True)
    enabled = models.BooleanField(default=True)
    level = models.CharField(max_length=10, choices=NoticeLevel, default=NoticeLevel.WARNING)
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True)
    timezone = models.CharField(max_length=63, default="UTC")
    updated_by = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One message to one channel or webhook, tried until it was taken or given up."""

    class State(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"
        DROPPED = "dropped"

    channel = models.CharField(max_length=100)
    trouble = models.ForeignKey(
        Trouble, on_delete=models.CASCADE, null=True, related_name="deliveries"
    )
    run = models.ForeignKey(
        "ingestion.SyncHistory", on_delete=models.CASCADE, null=True, related_name="deliveries"
    )
    is_over = models.BooleanField(default=False)
    level = models.CharField(max_length=10, choices=NoticeLevel, default=NoticeLevel.INFO)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(default=now)
    made_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)

    class Meta:
        ordering = ("-made_at", "-id")
        verbose_name_plural = "deliveries"
        indexes = (models.Index(fields=("state", "next_at")),)
        constraints = (
            models.UniqueConstraint(
                fields=("channel", "run"),
                condition=models.Q(run__isnull=False),
                name="one_webhook_a_run",
            ),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {self.title}"


class NoticeRound(models.Model):
    """When somebody last looked; one row, so that one process looks at a time."""

    looked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"looked at {self.looked_at}"
