"""What this project makes is its owner's alone, whatever the umask."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import private_files
from ingestion.private_files import open_to_others
from ingestion.services.system import embedded_redis
from ingestion.sync.common.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]


def manage(var: Path, *words: str, dotenv: Path = Path(os.devnull)) -> str:
    settings = {
        "DJANGO_SETTINGS_MODULE": "data_warehouse.settings",
        "VAR_DIR": str(var),
        "LOG_DIR": str(var.parent / "logs"),
        "DOTENV_FILE": str(dotenv),
        # Nobody answers there.
        "CACHE_URL": "redis://127.0.0.1:1/1",
    }
    ran = subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **settings, "DATABASE_URL": "", "WAREHOUSE_URL": ""},
        capture_output=True,
        text=True,
        check=True,
        umask=0,
    )
    return ran.stderr


def all_in(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]


def test_the_ledger_is_private_from_its_first_moment(tmp_path: Path) -> None:
    var = tmp_path / "var"
    manage(var, "migrate", "-v0")
    assert (var / "ledger.sqlite3").exists()
    assert open_to_others(all_in(var)) == []


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_a_warehouse_is_private_with_what_stands_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "var" / "warehouse" / "warehouse.sqlite3"
    warehouse = Warehouse(f"sqlite:///{file}")
    warehouse.prepare()
    with warehouse.dataset("hubspot").engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.exec_driver_sql("CREATE TABLE contacts (id INTEGER)")
        names = {path.name for path in file.parent.iterdir()}
        assert "warehouse__hubspot.sqlite3-wal" in names
        assert open_to_others(all_in(tmp_path / "var")) == []
    warehouse.close()


@pytest.mark.redis
@pytest.mark.usefixtures("no_umask")
def test_a_redis_of_ours_writes_private_files(tmp_path: Path) -> None:
    server = embedded_redis.start(tmp_path / "redis")
    server.stop()
    assert len(all_in(tmp_path / "redis")) > 3
    assert open_to_others(all_in(tmp_path / "redis")) == []


def test_check_names_what_others_may_read(tmp_path: Path) -> None:
    var, dotenv = tmp_path / "var", tmp_path / ".env"
    dotenv.write_text("")
    dotenv.chmod(0o644)
    assert f"chmod go= {dotenv}" in manage(var, "check", dotenv=dotenv)
    dotenv.chmod(0o600)
    assert "W008" not in manage(var, "check", dotenv=dotenv)
    (var / "old").touch()
    (var / "old").chmod(0o640)
    assert "W008" not in manage(var, "check", dotenv=dotenv)
    var.chmod(0o755)
    assert str(var / "old") in manage(var, "check", dotenv=dotenv)


def test_a_device_is_nobodys_file() -> None:
    assert open_to_others([Path("/dev/null")]) == []


def test_another_connection_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """Closing any descriptor of a file gives up all of its process's locks on it, so a connection
    of a second thread must not open the file beside SQLite."""
    file = tmp_path / "ledger.sqlite3"
    first = private_files.PrivateConnection(file, isolation_level=None)
    first.execute("CREATE TABLE t (n)")
    first.execute("BEGIN EXCLUSIVE")
    private_files.PrivateConnection(file).close()
    writes = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('INSERT INTO t VALUES (1)')"
    other = subprocess.run(
        [sys.executable, "-c", writes, str(file)], capture_output=True, text=True, check=False
    )
    assert "database is locked" in other.stderr
    first.execute("COMMIT")
    first.close()
