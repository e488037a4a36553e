"""Delta tables in S3: a server that keeps S3's rules on this machine."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from deltalake import DeltaTable
from moto.server import ThreadedMotoServer

from ingestion.sync.common.errors import SyncBusy, TransientError
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from tests.fake_crm import CALLS, FAKE, LEADS, USERS, FakeSource, people, person
from tests.sync_world import World, counts

pytestmark = pytest.mark.delta
SECRET = "a-very-secret-key-of-s3"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    running.start()
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """Of this test alone; the environment is that of AWS's own tools."""
    for name, value in {
        "AWS_ENDPOINT_URL": server,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    name = f"bucket-{abs(hash(request.node.name))}"
    boto3.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def world(bucket: str, tmp_path: Path) -> Iterator[World]:
    url = f"s3://{bucket}/the/warehouse"
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


def test_rows_live_and_die_in_a_bucket(world: World, bucket: str) -> None:
    world.source.records["users"] = people(4)
    assert counts(world.run(USERS)) == (4, 4, 0, 0)
    assert counts(world.run(USERS)) == (4, 0, 0, 0)
    world.source.records["users"] = [person(1, name="New"), person(2), person(3), person(5)]
    assert counts(world.run(USERS)) == (4, 1, 1, 1)
    assert world.ids(USERS) == [1, 2, 3, 5]
    assert world.ids(USERS, deleted=True) == [4]
    found = boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    folders = {entry["Key"].split("/")[3] for entry in found}
    assert folders == {"users", "_columns", "_rejected", "_watermarks"}


def test_a_delta_run_goes_on_at_the_watermark(world: World) -> None:
    world.source.records["leads"] = people(3)
    world.run(LEADS)
    world.source.records["leads"] = people(5)
    assert counts(world.run(LEADS)) == (4, 2, 0, 0)  # with the overlap
    assert world.source.windows[-1].since is not None


def test_a_column_gets_a_wider_type(world: World) -> None:
    plain = Model("users", columns={"id": "bigint"})
    world.source.records["users"] = [{"id": 1, "n": 5}]
    world.run(plain)
    world.source.records["users"] = [{"id": 1, "n": 5.25}]
    assert counts(world.run(plain)) == (1, 0, 1, 0)
    assert [str(row["n"]) for row in world.rows(plain)] == ["5.25"]


def test_machines_that_load_at_once_lose_nothing(world: World, tmp_path: Path) -> None:
    """Each adds a record of its own; who comes too late is told, and loads again."""
    world.source.records["calls"] = people(1)
    world.run(CALLS)
    barrier = threading.Barrier(3)
    busy: list[int] = []

    def machine(number: int) -> None:
        source = FakeSource({"calls": [person(number)]})
        own = Warehouse(world.url)
        there = replace(world, source=source, warehouse=own, pipelines_dir=tmp_path / str(number))
        barrier.wait(60)
        while True:
            try:
                there.run(CALLS)
            except SyncBusy:
                busy.append(number)
            else:
                break
        own.close()

    threads = [threading.Thread(target=machine, args=(number,)) for number in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert world.ids(CALLS) == [1, 2, 3, 4]
    assert busy
    table = DeltaTable(f"{world.url}/{FAKE.name}/calls")
    assert sorted(table.to_pyarrow_table()["id"].to_pylist()) == [1, 2, 3, 4]


def test_what_is_wrong_is_told_in_a_sentence_without_the_secret(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = "s3://no-such-bucket-here/warehouse"
    lost = replace(world, url=url, warehouse=Warehouse(url))
    lost.source.records["users"] = people(1)
    with pytest.raises(TransientError, match="S3 answered NoSuchBucket") as refused:
        lost.run(USERS)
    assert "\n" not in str(refused.value)
    assert SECRET not in caplog.text + str(refused.value) + repr(lost.warehouse)


def test_a_server_that_is_away_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match="cannot be read or written"):
        world.run(USERS)
