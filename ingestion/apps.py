"""The app: loads the system checks and the tasks, in the web process as in a worker."""

from importlib import import_module

from celery import current_app
from django.apps import AppConfig
from django.db.models.signals import post_migrate


class IngestionConfig(AppConfig):
    name = "ingestion"
    verbose_name = "Data warehouse"

    def ready(self) -> None:
        """Models must be loaded before these modules can be."""
        for module in ("checks", "tasks", "tasks_enhanced"):
            import_module(f"ingestion.{module}")
        import_module("ingestion.services.worker.bootstep").connect(current_app)
        conf = import_module("ingestion.conf").telemetry_conf()
        import_module("ingestion.services.telemetry.start").start(conf)
        access = import_module("ingestion.services.security.access")
        post_migrate.connect(access.ensure_groups, sender=self)
