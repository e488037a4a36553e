"""What the automation may do, what it did, and its reports."""

from __future__ import annotations

from django.db import models
from django.utils.timezone import now


class Level(models.TextChoices):
    """How far a rule goes: it says so, waits for a person's yes, or does it."""

    REPORT = "report"
    ASK = "ask"
    ACT = "act"


class RuleSetting(models.Model):
    """How one rule is set for one CRM, or for all of them (an empty ``crm_source``). What is null
    is left to the setting for all CRMs, and then to the rule."""

    rule = models.CharField(max_length=50)
    crm_source = models.CharField(max_length=50, blank=True)
    enabled = models.BooleanField(null=True)
    level = models.CharField(max_length=10, choices=Level, null=True)
    cooldown_minutes = models.PositiveIntegerField(null=True)
    hourly_limit = models.PositiveIntegerField(null=True)
    updated_by = models.CharField(max_length=200, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("rule", "crm_source")
        constraints = (
            models.UniqueConstraint(fields=("rule", "crm_source"), name="one_setting_per_rule"),
        )

    def __str__(self) -> str:
        return f"{self.rule} {self.crm_source or 'all CRMs'}"


class RuleAct(models.Model):
    """What a rule found at a time, in a sentence with its figures, and what became of it."""

    class Outcome(models.TextChoices):
        REPORTED = "reported"
        PROPOSED = "proposed"
        LIMITED = "limited"
        STARTED = "started"
        DONE = "done"
        FAILED = "failed"
        DISMISSED = "dismissed"
        REPLACED = "replaced"  # nobody had decided when the rule found it again

    at = models.DateTimeField(default=now, db_index=True)
    rule = models.CharField(max_length=50)
    crm_source = models.CharField(max_length=50, blank=True)
    subject = models.CharField(max_length=200)
    sentence = models.TextField()
    figures = models.JSONField(default=dict)
    outcome = models.CharField(max_length=10, choices=Outcome)
    acted_at = models.DateTimeField(null=True)
    actor = models.CharField(max_length=200, blank=True)
    result = models.JSONField(default=dict)

    class Meta:
        ordering = ("-at", "-id")
        indexes = (models.Index(fields=("rule", "subject", "-at")),)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.rule} {self.subject} {self.outcome}"


class AutomationReport(models.Model):
    """What happened in a span of time; ``content`` as ``services.automation.report`` made it."""

    made_at = models.DateTimeField(default=now, db_index=True)
    made_by = models.CharField(max_length=200, blank=True)
    period_start = models.DateTimeField()
    period_end = models.DateTimeField()
    content = models.JSONField()

    class Meta:
        ordering = ("-made_at", "-id")

    def __str__(self) -> str:
        return f"{self.period_start:%Y-%m-%d %H:%M} to {self.period_end:%Y-%m-%d %H:%M}"
