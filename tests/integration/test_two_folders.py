"""Two folders on one SQLite ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from django.db import connection

from ingestion.conf import servers_conf
from ingestion.services.infra import sole_user
from ingestion.services.worker import bootstep

ONE, TWO = "redis://:secret@127.0.0.1:7001/1", "redis://:other@127.0.0.1:7002/1"


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "shared" / "ledger.sqlite3"
    file.parent.mkdir()
    monkeypatch.setitem(connection.settings_dict, "NAME", str(file))
    return file


@contextmanager
def system(var_dir: Path, redis: str) -> Iterator[None]:
    """As a process of it sees itself."""
    var_dir.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sole_user, "var_dir", lambda: var_dir)
        patch.setattr(sole_user, "servers_conf", lambda: replace(servers_conf(), cache_url=redis))
        yield


def test_the_second_one_with_a_redis_of_its_own_is_refused(ledger: Path, tmp_path: Path) -> None:
    with system(tmp_path / "a", ONE):
        assert sole_user.claim() == ""
    with system(tmp_path / "b", TWO):
        said = sole_user.claim()
        assert f"the folder {tmp_path / 'a'}" in said
        assert "CACHE_URL" in said
        assert "DATABASE_URL" in said
    assert "secret" not in ledger.with_name("ledger.sqlite3.user").read_text()


def test_its_worker_does_not_start(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstep, "other_installation", lambda: "")
    monkeypatch.setattr(bootstep, "close_connections", lambda: None)
    with system(tmp_path / "a", ONE):
        bootstep.refuse_other_installation()
    with system(tmp_path / "b", TWO), pytest.raises(SystemExit, match="another Redis"):
        bootstep.refuse_other_installation()


def test_one_redis_makes_two_folders_one_pool(ledger: Path, tmp_path: Path) -> None:
    for folder in ("a", "b", "a"):
        with system(tmp_path / folder, ONE):
            assert sole_user.claim() == ""


def test_a_new_port_of_the_same_folders_redis_is_no_other(ledger: Path, tmp_path: Path) -> None:
    for redis in (ONE, TWO):
        with system(tmp_path / "a", redis):
            assert sole_user.claim() == ""


def test_a_folder_that_was_moved_is_not_refused(ledger: Path, tmp_path: Path) -> None:
    with system(tmp_path / "a", ONE):
        sole_user.claim()
    shutil.move(tmp_path / "a", tmp_path / "moved")
    with system(tmp_path / "moved", TWO):
        assert sole_user.claim() == ""
