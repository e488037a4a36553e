"""The workers of each host together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ingestion.pool.snapshot import HostInfo, WorkerInfo, host_of, hosts_of
from tests.contract.stores import a_task

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
WORKERS = (
    WorkerInfo("sync@one", NOON, 4, is_online=True, release="1.1.0"),
    WorkerInfo("big@one", NOON - timedelta(seconds=5), 2, is_online=True, release="1.0.0"),
    WorkerInfo("sync@two", NOON, 0, is_online=False, is_leaving=True),
    WorkerInfo("sync@three", NOON - timedelta(hours=2), 8, is_online=False, release="0.9.0"),
)


def test_a_host_counts_what_its_workers_have() -> None:
    holders = ("sync@one/11", "big@one/12", "sync@two/13", None)
    active = [replace(a_task("genius"), worker=holder) for holder in holders]
    assert hosts_of(WORKERS, active) == (
        HostInfo("one", 2, 0, 6, 2, ("1.0.0", "1.1.0"), NOON),
        HostInfo("three", 0, 0, 0, 0, (), NOON - timedelta(hours=2)),
        HostInfo("two", 0, 1, 0, 1, (), NOON),
    )


@pytest.mark.parametrize(
    ("holder", "host"),
    [("sync@db.example.com/77", "db.example.com"), ("sync@one", "one"), ("", "")],
)
def test_the_host_of_a_holder(holder: str, host: str) -> None:
    assert host_of(holder) == host
