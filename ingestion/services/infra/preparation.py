"""What must be prepared before the site works: tables, static files, the first account."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ingestion.conf import static_conf

DEPLOY = "manage.py deploy"


def unapplied_migrations() -> list[str]:
    """``app.name`` of each that has not run, in their order. Raises what a database raises."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def uncollected_files() -> list[str]:
    """The static files that collectstatic has not seen as they are now; none where the site serves
    them from their own folders."""
    conf = static_conf()
    return sorted(_uncollected(conf.root)) if conf.are_collected else []


def _uncollected(root: Path) -> Iterator[str]:
    ignored = getattr(apps.get_app_config("staticfiles"), "ignore_patterns", [])
    for finder in get_finders():
        for name, storage in finder.list(ignore_patterns=ignored):
            copy = root / name
            if not copy.is_file() or not filecmp.cmp(storage.path(name), copy, shallow=False):
                yield name


def has_administrator() -> bool:
    """Whether somebody can log in who may make other accounts. Raises what a database raises."""
    return bool(get_user_model().objects.filter(is_superuser=True, is_active=True).exists())
