"""The steps from an empty database, or one of an earlier version, to a site that works.

Each step may be repeated and then finds nothing to do. Two that run at once take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.core.management import call_command
from django.db import connection
from filelock import FileLock, Timeout

from ingestion import private_files
from ingestion.conf import static_conf
from ingestion.pool.change import ChangeRequest
from ingestion.services.infra import preparation
from ingestion.services.scheduling import schedules
from ingestion.services.scheduling.standard import SETS, fields_of
from ingestion.services.security import access
from ingestion.services.system.login import Login, ensure_login
from ingestion.settings_reader import var_dir

# Any number, the same in every version: whoever holds it deploys.
LOCK_NUMBER = 7_020_614_381

Say = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """What was done. ``login.is_new``: the account was made, its password stands in its file."""

    migrations: tuple[str, ...]
    collected: int
    groups: tuple[str, ...]
    login: Login | None
    schedules: int


def deploy(*, schedule_set: str, makes_login: bool, say: Say, change: ChangeRequest) -> Deployed:
    """``schedule_set`` empty: none. Schedules that are there stay as somebody has set them."""
    with _alone(say):
        migrations, groups = _migrate()
        return Deployed(
            migrations=migrations,
            collected=_collect(),
            groups=groups,
            login=ensure_login(var_dir()) if makes_login else None,
            schedules=_add_schedules(schedule_set, change) if schedule_set else 0,
        )


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    """On this machine by a file, for the static files; for the database by a lock of its own."""
    private_files.make_folder(var_dir())
    lock = FileLock(var_dir() / "deploy.lock", mode=private_files.FILE_MODE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say("another deployment runs here; waiting for its end")
        lock.acquire()
    try:
        with _database_lock():
            yield
    finally:
        lock.release()


@contextmanager
def _database_lock() -> Iterator[None]:
    """Of a transaction, in a session of its own: behind a pooler a lock of the session would leak."""
    if connection.vendor != "postgresql":
        yield
        return
    own = connection.copy()
    try:
        own.set_autocommit(False)
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_NUMBER])
        yield
    finally:
        own.close()


def _migrate() -> tuple[tuple[str, ...], tuple[str, ...]]:
    missing = tuple(preparation.unapplied_migrations())
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    return missing, tuple(access.GROUPS)


def _collect() -> int:
    missing = len(preparation.uncollected_files())
    if missing or not (static_conf().root / "staticfiles.json").exists():
        call_command("collectstatic", interactive=False, verbosity=0, skip_checks=True)
    return missing


def _add_schedules(name: str, change: ChangeRequest) -> int:
    there = {schedule.name for schedule in schedules.stored()}
    wanted = [each for each in fields_of(SETS[name], execution="pool") if each["name"] not in there]
    return schedules.import_all(wanted, change=change)["created"]
