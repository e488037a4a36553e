"""What is a Delta warehouse's own: files that other programs read, commits, and nobody's lost."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from ingestion.services.data.tables import reading
from ingestion.sync.common.errors import PermanentError, SyncBusy
from ingestion.sync.common.files import delta_tables
from ingestion.sync.common.names import DELETED_AT, DELETED_PROOF, ROW_HASH, RUN_ID, SYNCED_AT
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.source import Model
from ingestion.sync.common.warehouse import Warehouse
from ingestion.sync.load.delta.session import DeltaSession
from tests.fake_crm import FAKE, LEADS, USERS, FakeSource, people, person
from tests.sync_world import World, counts

pytestmark = pytest.mark.delta
FACTS = {ROW_HASH, DELETED_AT, DELETED_PROOF, SYNCED_AT, RUN_ID}
TYPED = Model("users", columns={"id": "bigint", "at": "time", "tags": "json", "n": "decimal"})


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"file://{tmp_path / 'the warehouse'}"
    warehouse = Warehouse(url)
    yield World(FakeSource(), url, tmp_path / "pipelines", warehouse)
    warehouse.close()


def delta(world: World, name: str = "users", version: int | None = None) -> DeltaTable:
    return DeltaTable(f"{world.url}/{FAKE.name}/{name}", version=version)


def ids_in(table: DeltaTable) -> list[Any]:
    return sorted(table.to_pyarrow_table()["id"].to_pylist())


def test_other_programs_find_a_table_for_each_model(world: World, tmp_path: Path) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    folder = tmp_path / "the warehouse" / "fake"
    names = {path.name for path in folder.iterdir()}
    assert names == {"users", "_columns", "_rejected", "_watermarks"}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    rows = sorted(delta(world).to_pyarrow_table().to_pylist(), key=lambda row: row["id"])
    assert rows[0].keys() == {"id", "name", "updated_at", "amount"} | FACTS
    assert (rows[0]["id"], rows[1]["name"]) == (1, "Person 2")
    assert rows[0]["updated_at"] == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)


def test_types_that_delta_lacks_are_texts_there_and_come_back(world: World) -> None:
    world.source.records["users"] = [
        {"id": 1, "at": "10:30:00", "tags": {"a": [1]}, "n": Decimal("1.50")}
    ]
    world.run(TYPED)
    (row,) = delta(world).to_pyarrow_table().to_pylist()
    assert (row["at"], json.loads(row["tags"])) == ("10:30:00", {"a": [1]})
    assert row["n"] == Decimal("1.5000000000")
    (row,) = world.rows(TYPED)
    assert (str(row["at"]), row["tags"], row["n"]) == ("10:30:00", {"a": [1]}, Decimal("1.5"))
    assert counts(world.run(TYPED, mode="full")) == (1, 0, 0, 0)


def test_rows_that_did_not_change_are_not_written_again(world: World) -> None:
    world.source.records["users"] = people(3)
    first = world.prepared(USERS)
    world.run(USERS)
    begun = delta(world).version()
    assert counts(world.run(USERS)) == (3, 0, 0, 0)
    assert delta(world).version() == begun
    world.source.records["users"] = [person(1, name="New"), person(2), person(3)]
    assert counts(world.run(USERS)) == (3, 0, 1, 0)
    assert delta(world).version() == begun + 1
    runs = {row["id"]: row[RUN_ID] for row in world.rows(USERS)}
    assert runs[2] == runs[3] != runs[1]
    assert first.run_id not in runs.values()


def test_a_commit_names_the_run_that_made_it(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    (row,) = world.rows(USERS)
    assert delta(world).history(1)[0]["run_id"] == row[RUN_ID]
    assert delta(world, "_watermarks").history(1)[0]["model"] == "users"


def test_earlier_versions_can_be_read(world: World) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    world.source.records["users"] = people(3)
    world.run(USERS)
    assert ids_in(delta(world)) == [1, 2, 3]
    assert ids_in(delta(world, version=0)) == [1]


def test_a_new_column_and_a_wider_type_keep_the_rows(world: World) -> None:
    world.source.records["users"] = [{"id": 1, "n": 5}, {"id": 2, "n": 7}]
    plain = Model("users", columns={"id": "bigint"})
    world.run(plain)
    world.source.records["users"] = [{"id": 1, "n": 5.25, "nick": "A"}, {"id": 2, "n": 7}]
    result = world.run(plain)
    assert counts(result) == (2, 0, 1, 0)
    assert sorted(result.schema_changes) == [
        "column n was bigint, it is decimal now",
        "new column nick (text)",
    ]
    rows = {row["id"]: row for row in delta(world).to_pyarrow_table().to_pylist()}
    assert [(rows[n]["n"], rows[n]["nick"]) for n in (1, 2)] == [
        (Decimal("5.25"), "A"),
        (Decimal(7), None),
    ]


class Overtakes(SilentReporter):
    """Lets somebody else act once, in the middle of a load."""

    def __init__(self, act: Callable[[], None]) -> None:
        self._act: Callable[[], None] | None = act

    def step(self, model: str, step: str) -> None:
        if step == "load" and self._act:
            act, self._act = self._act, None
            act()


def elsewhere(world: World, tmp_path: Path) -> World:
    """Another machine, which does not see this one's locks."""
    return replace(
        world, pipelines_dir=tmp_path / "elsewhere", source=FakeSource({"users": people(4)})
    )


def test_of_two_machines_one_loads_and_the_other_is_told(world: World, tmp_path: Path) -> None:
    world.source.records["users"] = people(2)
    world.run(USERS)
    other = elsewhere(world, tmp_path)
    world.source.records["users"] = [person(1, name="Mine"), person(2), person(3)]
    with pytest.raises(SyncBusy, match=r"Somebody else has written to .*/users/ "):
        world.run(USERS, reporter=Overtakes(lambda: other.run(USERS) and None))
    assert ids_in(delta(world)) == [1, 2, 3, 4]
    assert {row["name"] for row in world.rows(USERS)} == {f"Person {n}" for n in range(1, 5)}
    assert counts(world.run(USERS)) == (3, 0, 1, 1)


def test_of_two_first_loads_one_is_told(world: World, tmp_path: Path) -> None:
    other = elsewhere(world, tmp_path)
    world.source.records["users"] = people(2)
    with pytest.raises(SyncBusy):
        world.run(USERS, reporter=Overtakes(lambda: other.run(USERS) and None))
    assert ids_in(delta(world)) == [1, 2, 3, 4]


def test_another_model_of_the_crm_may_load_meanwhile(world: World) -> None:
    world.source.records |= {"users": people(2), "leads": people(3)}
    world.run(USERS)
    world.source.records["users"] = people(3)
    assert world.run(USERS, reporter=Overtakes(lambda: world.run(LEADS) and None)).created == 1
    assert (world.ids(USERS), world.ids(LEADS)) == ([1, 2, 3], [1, 2, 3])
    models = delta(world, "_watermarks").to_pyarrow_table()["model"].to_pylist()
    assert sorted(models) == ["leads", "users"]


def test_small_files_are_put_together_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delta_tables, "TIDIED_EVERY", 4)
    for count in range(1, 7):
        world.source.records["users"] = people(count)
        world.run(USERS)
    assert any(commit["operation"] == "OPTIMIZE" for commit in delta(world).history())
    assert world.ids(USERS) == [1, 2, 3, 4, 5, 6]
    assert counts(world.run(USERS)) == (6, 0, 0, 0)


def test_a_table_of_a_newer_protocol_is_refused_in_a_sentence(world: World, tmp_path: Path) -> None:
    world.source.records["users"] = people(1)
    world.run(USERS)
    log = tmp_path / "the warehouse" / "fake" / "users" / "_delta_log"
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7}
    features = {"readerFeatures": ["unheard"], "writerFeatures": ["unheard"]}
    (log / f"{1:020}.json").write_text(json.dumps({"protocol": protocol | features}))
    with pytest.raises(PermanentError, match=r"users .* 'unheard' is not supported"):
        world.run(USERS)


def test_a_copy_is_gone_after_the_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    begin = DeltaSession._begin

    def begins(session: DeltaSession, *given: Any, **named: Any) -> None:
        begin(session, *given, **named)
        opened.append(Path(session._spilled))

    monkeypatch.setattr(DeltaSession, "_begin", begins)
    world.source.records["users"] = people(1)
    world.run(USERS)
    assert [path.exists() for path in opened] == [False]


def test_a_question_of_a_page_is_answered_from_the_files(world: World) -> None:
    world.source.records["users"] = people(3)
    world.run(USERS)
    dataset = world.warehouse.dataset(FAKE.name)
    assert list(dataset.columns_of("users"))[:2] == ["id", "name"]
    with reading(dataset, seconds=5) as connection:
        found = connection.exec_driver_sql("SELECT max(id) FROM users").scalar_one()
    assert found == 3
