"""Reads Django's settings for ``conf`` and ``installation_conf``; nothing else reads this app's own.

The pool's settings stand there under their own names (``MAX_SYNC_WORKERS``, ``WORKER_POOL_...``,
``CELERY_...``), all others with ``INGESTION_`` before them. Each has a default, so that a project
which adds this app needs to set none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from celery import current_app
from django.conf import settings


def given(name: str, default: Any) -> Any:
    """A setting of the pool, of Celery or of Django."""
    return getattr(settings, name, default)


def own(name: str, default: Any) -> Any:
    """A setting of this app alone."""
    return getattr(settings, f"INGESTION_{name}", default)


def is_production() -> bool:
    return str(given("DJANGO_ENV", "development")) == "production"


def base_dir() -> Path:
    return Path(given("BASE_DIR", Path.cwd()))


def var_dir() -> Path:
    """The one folder that holds what this clone's system writes; git ignores it."""
    return Path(own("VAR_DIR", base_dir() / "var"))


class PlainEnvironment(Mapping[str, str]):
    """Of a project that reads its ``.env`` itself, or keeps these settings elsewhere."""

    dotenv: Mapping[str, str] = {}

    def __init__(self, found: Mapping[str, str]) -> None:
        self._found = found

    def __getitem__(self, name: str) -> str:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    @property
    def dotenv_file(self) -> Path:
        return base_dir() / ".env"

    def configured(self, name: str) -> str:
        return self.get(name, "")

    def source_of(self, name: str) -> str:
        return "environment" if name in self else "default"


def environment() -> Any:
    """The CRMs' settings by name, and where each comes from: as this project reads them
    (``data_warehouse.environment``), or as ``PlainEnvironment`` has what another project gives."""
    found = own("CRM_ENVIRONMENT", os.environ)
    return found if hasattr(found, "configured") else PlainEnvironment(found)


def cache_url() -> str:
    location = settings.CACHES.get("default", {}).get("LOCATION", "")
    found = location if isinstance(location, str) else ",".join(location)
    return str(own("CACHE_URL", "") or found)


def broker_url() -> str:
    """As Celery has it."""
    return str(given("CELERY_BROKER_URL", "") or current_app.conf.broker_url or "")


def warehouse_url() -> str:
    file = var_dir() / "warehouse" / "warehouse.sqlite3"
    return str(own("WAREHOUSE_URL", f"sqlite:///{file}"))
