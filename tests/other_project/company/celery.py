import os

from celery import Celery

from ingestion.celery import set_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "company.settings")

app = Celery("company")
app.config_from_object("django.conf:settings", namespace="CELERY")
set_up(app)
