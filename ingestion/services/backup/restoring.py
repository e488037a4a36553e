"""Puts a backup back, in the place of what is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from django.db import connections

from ingestion.installation_conf import backup_conf
from ingestion.pool.change import ChangeRequest
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.backup import bundle, databases
from ingestion.services.backup.bundle import BackupError, Manifest, Stored
from ingestion.services.backup.databases import POSTGRESQL, SQLITE, Database
from ingestion.services.backup.making import LEDGER, WAREHOUSE, files_of_warehouse
from ingestion.services.infra import preparation
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.worker_pool import get_worker_pool


def look(folder: Path) -> Manifest:
    """What would be put back. Raises BackupError where it is damaged, where the databases of the
    settings are of another kind, or while workers are online."""
    manifest = bundle.read(folder)
    conf = backup_conf()
    for what, url in ((LEDGER, conf.ledger_url), (WAREHOUSE, conf.warehouse_url)):
        vendor = databases.database(url).vendor
        for stored in manifest.holding(what):
            if stored.vendor != vendor:
                raise BackupError(
                    f"The {what} of this backup is {stored.vendor}, that of the settings {vendor}."
                )
    if online := _workers_online():
        raise BackupError(f"Stop web, beat and workers first; online: {', '.join(online)}.")
    return manifest


def put_back(folder: Path, manifest: Manifest, *, change: ChangeRequest) -> dict[str, int | None]:
    """The ledger, then the warehouse, then what Redis holds. ``tasks``: how many were put into
    Redis; None where it does not answer, or where migrations have to run first. Raises BackupError."""
    conf = backup_conf()
    ledger, warehouse = (databases.database(url) for url in (conf.ledger_url, conf.warehouse_url))
    connections.close_all()
    for stored in manifest.holding(LEDGER):
        _put(folder / stored.name, stored, ledger, ledger.path)
    _put_warehouse(folder, manifest, warehouse)
    return {"files": len(manifest.files), "tasks": _fill_redis(change)}


def _put_warehouse(folder: Path, manifest: Manifest, found: Database) -> None:
    """Files of CRMs that came later go: their rows are not of that time."""
    put = set()
    for stored in manifest.holding(WAREHOUSE):
        target = found.path.with_name(stored.name.removeprefix("warehouse-"))
        _put(folder / stored.name, stored, found, target)
        put.add(target)
    if put and found.vendor == SQLITE:
        for late in set(files_of_warehouse(found)) - put:
            for file in (late, *(late.with_name(late.name + end) for end in ("-wal", "-shm"))):
                file.unlink(missing_ok=True)


def _put(file: Path, stored: Stored, found: Database, target: Path) -> None:
    if stored.vendor == POSTGRESQL:
        databases.put_postgresql_back(file, found)
    else:
        databases.put_sqlite_back(file, target)


def _fill_redis(change: ChangeRequest) -> int | None:
    """Redis may hold a later state than the ledger now, so it is built again."""
    if preparation.unapplied_migrations():
        return None
    try:
        return get_worker_pool().take_over(change=change)["restored"]
    except PoolUnavailable:
        return None


def _workers_online() -> list[str]:
    try:
        return list(_online())
    except (PoolUnavailable, *DATABASE_ERRORS):  # there may be no tables yet
        return []
    finally:
        connections.close_all()


def _online() -> Iterator[str]:
    for worker in get_worker_pool().peek().workers:
        if worker.is_online:
            yield worker.name
