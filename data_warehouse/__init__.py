"""Wiring: settings, Celery app, URLs."""

from data_warehouse.celery import app as celery_app

__all__ = ["celery_app"]
