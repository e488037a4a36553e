"""Makes a backup, while everything runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from django.contrib.auth import get_user_model
from django.db.migrations.recorder import MigrationRecorder

from ingestion import private_files
from ingestion.installation_conf import BackupConf, backup_conf
from ingestion.models import SyncHistory, SyncSchedule
from ingestion.services.backup import bundle, databases
from ingestion.services.backup.bundle import BackupError, Manifest, Stored
from ingestion.services.backup.databases import POSTGRESQL, SQLITE, Database

LEDGER, WAREHOUSE, SECRETS = "ledger", "warehouse", "secrets"


def make(folder: Path, *, keep: int = 0, with_secrets: bool = True) -> tuple[Path, Manifest]:
    """A new folder in ``folder``, there whole or not at all. ``keep`` > 0: older ones but so many
    are removed. The ledger comes first, so that no run is known whose rows are missing. Raises
    BackupError."""
    now = datetime.now(UTC)
    final = folder / f"{bundle.PREFIX}{now:%Y%m%dT%H%M%S%fZ}"
    unfinished = final.with_name(final.name + bundle.UNFINISHED)
    try:
        private_files.make_folder(unfinished)
        manifest = _fill(unfinished, now, with_secrets=with_secrets)
        bundle.write(unfinished, manifest)
        unfinished.rename(final)
    except OSError as problem:
        raise BackupError(f"{folder} cannot be written: {problem.strerror}.") from problem
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    if keep:
        bundle.thin(folder, keep=keep)
    return final, manifest


def _fill(folder: Path, now: datetime, *, with_secrets: bool) -> Manifest:
    conf = backup_conf()
    ledger, warehouse = (databases.database(url) for url in (conf.ledger_url, conf.warehouse_url))
    counts, migrations = _counts(), _migrations()
    files = [_ledger(ledger, folder)]
    left_out = []
    if ledger.is_same_as(warehouse):
        left_out.append("The warehouse stands in the ledger's database, and in its file.")
    elif warehouse.vendor in (SQLITE, POSTGRESQL):
        files += _warehouse(warehouse, folder)
    else:
        left_out.append(f"The warehouse ({warehouse.vendor}): back it up by its own tools.")
    if with_secrets:
        files += _secrets(conf, folder)
    else:
        left_out.append("Secrets: SECRET_KEY, .env and the first account's password.")
    return Manifest(now.isoformat(), tuple(files), migrations, counts, tuple(left_out))


def _ledger(found: Database, folder: Path) -> Stored:
    if found.vendor == SQLITE:
        file = folder / "ledger.sqlite3"
        databases.copy_sqlite(found.path, file)
    else:
        file = folder / "ledger.dump"
        databases.dump_postgresql(found, file)
    return bundle.stored(file, holds=LEDGER, vendor=found.vendor)


def _warehouse(found: Database, folder: Path) -> Iterator[Stored]:
    """Of SQLite each CRM has a file of its own."""
    if found.vendor == POSTGRESQL:
        file = folder / "warehouse.dump"
        databases.dump_postgresql(found, file)
        yield bundle.stored(file, holds=WAREHOUSE, vendor=found.vendor)
        return
    for source in files_of_warehouse(found):
        file = folder / f"warehouse-{source.name}"
        databases.copy_sqlite(source, file)
        yield bundle.stored(file, holds=WAREHOUSE, vendor=found.vendor)


def files_of_warehouse(found: Database) -> list[Path]:
    main = found.path
    every = main.parent.glob(f"{main.stem}*{main.suffix}")
    return sorted(path for path in every if path.name.startswith((f"{main.stem}__", main.name)))


def _secrets(conf: BackupConf, folder: Path) -> Iterator[Stored]:
    for source in conf.secret_files:
        if source.is_file():
            file = folder / f"secret-{source.name.lstrip('.')}"
            private_files.make_file(file)
            file.write_bytes(source.read_bytes())
            yield bundle.stored(file, holds=SECRETS, vendor="")


def _counts() -> dict[str, int]:
    return {
        "runs": SyncHistory.objects.count(),
        "schedules": SyncSchedule.objects.count(),
        "accounts": get_user_model().objects.count(),
    }


def _migrations() -> tuple[str, ...]:
    """The last of each app."""
    rows = MigrationRecorder.Migration.objects.order_by("id").values_list("app", "name")
    return tuple(sorted(f"{app}.{name}" for app, name in dict(rows).items()))
