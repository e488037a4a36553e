"""What this installation is made of: its folders, its ``.env``, where each setting's value comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.private_files import open_to_others
from ingestion.settings_reader import (
    base_dir,
    broker_url,
    environment,
    given,
    is_production,
    own,
    var_dir,
    warehouse_url,
)


@dataclass(frozen=True)
class SystemConf:
    """What starting the whole system needs. ``configured`` gives what the operator set for a
    name, in the environment or ``.env``, or an empty string."""

    base_dir: Path
    var_dir: Path
    log_dir: Path
    is_production: bool
    broker_url: str
    warehouse_url: str
    worker_concurrency: int
    worker_shutdown_seconds: float
    max_workers: int
    log_level: str
    setting_names: tuple[str, ...]
    dotenv_names: tuple[str, ...]
    configured: Callable[[str], str]


def system_conf() -> SystemConf:
    return SystemConf(
        base_dir=base_dir(),
        var_dir=var_dir(),
        log_dir=Path(own("LOG_DIR", base_dir() / "logs")),
        is_production=is_production(),
        broker_url=broker_url(),
        warehouse_url=warehouse_url(),
        worker_concurrency=given("CELERY_WORKER_CONCURRENCY", 12),
        worker_shutdown_seconds=given("WORKER_POOL_SHUTDOWN_SECONDS", 8),
        max_workers=given("MAX_SYNC_WORKERS", 2),
        log_level=own("LOG_LEVEL", "INFO"),
        setting_names=tuple(_setting_defaults()),
        dotenv_names=tuple(environment().dotenv),
        configured=environment().configured,
    )


@dataclass(frozen=True)
class BackupConf:
    """``secret_files``: what this installation needs besides its databases; missing ones too."""

    ledger_url: str
    warehouse_url: str
    secret_files: tuple[Path, ...]


def backup_conf() -> BackupConf:
    made = [var_dir() / name for name in ("secret-key", "operator-login", "redis-password")]
    secrets = (environment().dotenv_file, *made)
    return BackupConf(own("DATABASE_URL", ""), warehouse_url(), secrets)


def secret_files() -> list[Path]:
    """Where secrets, people's data and password hashes stand: ``.env``, and everything in VAR_DIR
    unless that is its owner's alone. Missing ones too."""
    found = [environment().dotenv_file]
    if open_to_others([var_dir()]):
        found += sorted(path for path in var_dir().rglob("*") if path.is_file())
    return found


@dataclass(frozen=True)
class SettingValue:
    """A setting as it is in force. ``source``: environment, .env, running system or default."""

    name: str
    value: str
    source: str


def setting_values(defaults: Mapping[str, Any] | None = None) -> list[SettingValue]:
    """The named settings, or all that the project itself reads, in the order of their defaults.
    The values may be secrets."""
    found = environment()
    return [
        SettingValue(name, found.get(name) or _text(default), found.source_of(name))
        for name, default in (_setting_defaults() if defaults is None else defaults).items()
    ]


def _setting_defaults() -> Mapping[str, Any]:
    """Of what this project reads from the environment; a project that adds the app reads its own."""
    found: Mapping[str, Any] = own("SETTING_DEFAULTS", {})
    return found


def _text(default: Any) -> str:
    """As one writes it into ``.env``."""
    if isinstance(default, bool):
        return str(default).lower()
    return ",".join(default) if isinstance(default, list) else str(default)
