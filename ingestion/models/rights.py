"""What people may be allowed to do with the worker pool."""

from __future__ import annotations

from django.db import models


class WorkerPoolRights(models.Model):
    """Has no table: it carries the permissions, which belong to no single row."""

    class Meta:
        managed = False
        default_permissions = ()
        permissions = (
            ("view_worker_pool", "Can see the pool, its history and its settings"),
            ("operate_worker_pool", "Can submit, cancel, order and hold syncs"),
            ("configure_worker_pool", "Can change limits, pause the pool and reset it"),
            ("manage_schedules", "Can make, change and delete schedules"),
            ("view_personal_data", "Can see personal data in the warehouse's rows"),
            ("query_data", "Can ask the warehouse questions in SQL"),
        )

    def __str__(self) -> str:
        return "rights of the worker pool"
