"""verify_warehouse proves equality by the values that a reader of the warehouse sees."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ingestion.services.runs.verification import Second, verify_model
from ingestion.services.runs.verification_report import ModelReport
from ingestion.sync.common.errors import NotAllowed
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.run import ModelResult, Policy
from ingestion.sync.common.source import Heard, Model, SourceContext
from ingestion.sync.load.pipeline import run_model
from ingestion.sync.raw.reader import Abilities, Count, RawReader, RawRecord, StoredRow
from ingestion.sync.raw.second import Recorder
from tests.fake_crm import FAKE, NEW_YEAR, USERS, people, person
from tests.sync_world import World

# A value of each kind, some of which look otherwise once they are stored.
ODD: dict[str, Any] = {
    "amount": Decimal("12400.05"),
    "ratio": 0.1,
    "local_time": datetime(2026, 3, 1, 7, 30),  # noqa: DTZ001 - a time without a zone
    "moment": datetime(2026, 3, 1, 7, 30, 0, 5, tzinfo=UTC),
    "opens": time(8, 15),
    "born": NEW_YEAR.date(),
    "is_open": False,
    "tags": {"b": [1.0, 1e20, "x\x00"], "a": None},
    "nothing": None,
    "blank": "",
}


def verified(world: World) -> ModelReport:
    return verify_model(FAKE, USERS, world.source, world.warehouse, SilentReporter())


def verified_by(reader: RawReader, world: World) -> ModelReport:
    second = Second(reader, Recorder())
    return verify_model(FAKE, USERS, world.source, world.warehouse, SilentReporter(), second)


NOTHING_KNOWN = RawReader(SourceContext({}))


def change(world: World, statement: str) -> None:
    world.execute(statement.format(users=world.table("users")))


def drop_index(world: World) -> None:
    if not world.is_of_duckdb:  # there is none
        world.drop_index("ux_users", "users")


@pytest.fixture
def loaded(world: World) -> World:
    world.source.records["users"] = [person(number, **ODD) for number in range(1, 6)]
    world.run(USERS)
    return world


def test_what_was_loaded_is_equal(loaded: World) -> None:
    report = verified(loaded)
    assert report.is_equal
    assert (report.source_rows, report.warehouse_rows) == (5, 5)


def test_rows_that_are_marked_as_deleted_do_not_count(loaded: World) -> None:
    loaded.source.records["users"].pop()
    loaded.run(USERS)
    report = verified(loaded)
    assert report.is_equal
    assert report.warehouse_rows == 4


@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("DELETE FROM {users} WHERE id = 2", "missing"),
        ("UPDATE {users} SET id = 77 WHERE id = 2", "extra"),
        ("UPDATE {users} SET amount = 12400.06 WHERE id = 2", "different"),
        ("UPDATE {users} SET blank = NULL WHERE id = 2", "different"),
        ("UPDATE {users} SET opens = '08:16:00.000000' WHERE id = 2", "different"),
    ],
)
def test_a_difference_is_counted_and_its_key_named(
    loaded: World, statement: str, count: str
) -> None:
    change(loaded, statement)
    report = verified(loaded)
    assert not report.is_equal
    assert getattr(report, count) == 1
    assert report.examples[0].split()[0] == count


def test_a_row_that_stands_twice_is_found(loaded: World) -> None:
    drop_index(loaded)
    change(loaded, "UPDATE {users} SET id = 1 WHERE id = 2")
    report = verified(loaded)
    assert (report.duplicates, report.missing) == (1, 1)


def test_at_most_five_keys_are_named(loaded: World) -> None:
    loaded.source.records["users"] += people(40)[10:]
    report = verified(loaded)
    assert report.missing == 30
    assert len(report.examples) == 5


def test_a_column_of_another_type_is_told(loaded: World) -> None:
    loaded.source.declared = {"users": {"ratio": "text"}}
    assert verified(loaded).wrong_types == ["ratio is double instead of text"]


def test_a_table_that_was_never_loaded_misses_everything(world: World) -> None:
    world.source.records["users"] = people(3)
    report = verified(world)
    assert (report.missing, report.warehouse_rows) == (3, 0)


@pytest.mark.parametrize("policy", ["ask", "freeze"])
def test_a_field_that_the_schema_policy_keeps_out_is_no_difference(
    loaded: World, policy: Policy, settings: Any
) -> None:
    settings.INGESTION_SYNC_SCHEMA_POLICY = {"": policy}
    records = [person(number, nick="Kim", **ODD) for number in range(1, 7)]
    loaded.source.records["users"] = records
    run_model(replace(loaded.prepared(USERS), schema_policy=policy), ModelResult("users"))
    assert verified(loaded).is_equal
    loaded.source.records["users"][0]["name"] = "other"
    assert verified(loaded).different == 1


def test_a_record_without_a_key_ends_in_no_traceback(loaded: World) -> None:
    """It stands in _rejected, and was never in the table."""
    loaded.source.records["users"].append(person(6, id=None))
    assert verified(loaded).is_equal


def test_a_row_whose_key_somebody_has_taken_away_is_extra(loaded: World) -> None:
    change(loaded, "UPDATE {users} SET id = NULL WHERE id = 1")
    report = verified(loaded)
    assert (report.missing, report.extra) == (1, 1)
    assert "row" in report.examples[0]


def test_a_hash_that_somebody_has_changed_is_found(loaded: World) -> None:
    assert verified_by(NOTHING_KNOWN, loaded).is_equal
    change(loaded, "UPDATE {users} SET _row_hash = '1:00' WHERE id = 2")
    report = verified_by(NOTHING_KNOWN, loaded)
    assert (report.different, report.changed_hashes) == (0, 1)
    assert report.examples == ["changed hash 2"]
    loaded.run(USERS, mode="full")
    assert verified_by(NOTHING_KNOWN, loaded).is_equal


def test_a_changed_value_is_no_changed_hash(loaded: World) -> None:
    change(loaded, "UPDATE {users} SET name = 'other' WHERE id = 2")
    report = verified_by(NOTHING_KNOWN, loaded)
    assert (report.different, report.changed_hashes) == (1, 0)
    assert report.advice == "manage.py sync_fake_users --full"
    loaded.run(USERS, mode="full")
    assert verified_by(NOTHING_KNOWN, loaded).is_equal


def test_every_digit_of_a_long_number_counts(world: World) -> None:
    """Also in SQLite, whose doubles do not hold it."""
    world.source.records["users"] = [person(1, amount=Decimal("1234567890123.456789"))]
    world.run(USERS)
    assert verified(world).is_equal
    change(world, "UPDATE {users} SET amount = '1234567890123.456780' WHERE id = 1")
    assert verified(world).different == 1


def test_a_zero_with_a_minus_is_a_zero(world: World) -> None:
    """SQLite keeps no sign of it."""
    world.source.records["users"] = [person(1, ratio=-0.0), person(2, ratio=-0.5)]
    world.run(USERS)
    assert verified(world).is_equal
    change(world, "UPDATE {users} SET ratio = 0.5 WHERE id = 2")
    assert verified(world).different == 1


def test_an_empty_source_is_believed_by_force_alone(loaded: World) -> None:
    loaded.source.records["users"] = []
    report = verified(loaded)
    assert report.extra == 5
    assert report.advice == (
        "if the CRM really has no records any more: manage.py sync_fake_users --full --force"
    )
    assert loaded.run(USERS, mode="full").deleted == 0
    assert not verified(loaded).is_equal
    loaded.run(USERS, mode="full", force=True)
    assert verified(loaded).is_equal


class Knowing(RawReader):
    """``counted``: what the CRM says that it has; ``found``: what it gives by key; ``oldest``: the
    first id that it keeps."""

    def __init__(
        self, counted: int | None = None, found: tuple[int, ...] = (), oldest: int = 0
    ) -> None:
        super().__init__(SourceContext({}))
        self.counted, self.found, self.oldest = counted, found, oldest
        self.refuses = False

    def abilities(self, model: Model) -> Abilities:
        return Abilities()

    def received(self, model: Model, answer: Heard) -> list[RawRecord]:
        return []

    def count(self, model: Model) -> Count | None:
        return None if self.counted is None else Count(self.counted)

    def look_up(self, model: Model, rows: Any) -> list[RawRecord]:
        if self.refuses:
            raise NotAllowed("Fake GET /users/1 is not allowed (403).")
        asked = {int(row["id"]) for row in rows}
        return [RawRecord((str(i),), {}) for i in self.found if i in asked]

    def is_forgotten(self, model: Model, row: StoredRow) -> bool:
        return int(row["id"]) < self.oldest


def test_a_count_of_the_crm_that_is_another_is_a_difference(loaded: World) -> None:
    assert verified_by(Knowing(counted=5), loaded).is_equal
    report = verified_by(Knowing(counted=6), loaded)
    assert (report.is_miscounted, report.is_equal) == (True, False)
    assert report.notes[0] == "the CRM counts 6 records, and 5 were read"


def test_what_the_crm_forgets_by_design_is_no_difference(loaded: World) -> None:
    del loaded.source.records["users"][:2]
    report = verified_by(Knowing(oldest=3), loaded)
    assert (report.forgotten, report.extra, report.is_equal) == (2, 0, True)
    assert verified_by(Knowing(oldest=2), loaded).extra == 1


def test_a_marked_row_that_the_crm_still_has_is_found(loaded: World) -> None:
    change(loaded, "UPDATE {users} SET _deleted_at = '2026-03-01 00:00:00' WHERE id = 4")
    del loaded.source.records["users"][3]
    report = verified_by(Knowing(found=(1, 2, 3, 4, 5)), loaded)
    assert (report.undeleted, report.missing, report.looked_up) == (1, 0, 5)
    assert report.examples == ["undeleted 4"]


def test_a_look_up_that_finds_nothing_of_what_was_read_proves_nothing(loaded: World) -> None:
    change(loaded, "UPDATE {users} SET _deleted_at = '2026-03-01 00:00:00' WHERE id = 4")
    del loaded.source.records["users"][3]
    report = verified_by(Knowing(found=(4,)), loaded)
    assert report.is_equal
    assert "found none of 4 records that were read just now" in report.notes[0]


def test_what_the_crm_does_not_let_us_ask_is_named_and_no_difference(loaded: World) -> None:
    reader = Knowing(counted=5)
    reader.refuses = True
    report = verified_by(reader, loaded)
    assert report.is_equal
    assert report.notes == ["not asked: Fake GET /users/1 is not allowed (403)."]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {users} WHERE id = 2",
        "UPDATE {users} SET id = 77 WHERE id = 2",
        "UPDATE {users} SET amount = 12400.06 WHERE id = 2",
        "UPDATE {users} SET _row_hash = NULL WHERE id = 2",
        "UPDATE {users} SET _deleted_at = '2026-03-01 00:00:00' WHERE id = 2",
        "UPDATE {users} SET id = NULL WHERE id = 2",
        "DUPLICATE",
    ],
)
def test_the_command_that_is_named_makes_the_table_equal(loaded: World, statement: str) -> None:
    if statement == "DUPLICATE":
        drop_index(loaded)
        statement = "UPDATE {users} SET id = 1 WHERE id = 2"
    change(loaded, statement)
    report = verified_by(NOTHING_KNOWN, loaded)
    assert report.advice == "manage.py sync_fake_users --full"
    loaded.run(USERS, mode="full")
    after = verified_by(NOTHING_KNOWN, loaded)
    assert after.is_equal, after


def test_an_answer_of_another_shape_ends_in_no_traceback(loaded: World) -> None:
    class Changed(RawReader):
        def read(self, model: Model) -> Any:
            yield RawRecord(("1",), {})
            yield RawRecord((self.settings["nowhere"],), {})

        def count(self, model: Model) -> Any:
            return Count(int("many"))

    report = verified_by(Changed(SourceContext({})), loaded)
    assert report.is_equal
    assert report.notes == [
        "not asked: The second reading of users: an answer has not the documented shape"
        " (ValueError); the API may have changed.",
        "not asked: The second reading of users: an answer has not the documented shape"
        " (KeyError); the API may have changed.",
    ]


def test_a_number_of_look_ups_below_zero_is_refused() -> None:
    with pytest.raises(CommandError, match="must be 0 or more") as problem:
        call_command("verify_warehouse", "hubspot", "--look-ups=-1")
    assert problem.value.returncode == 2


@pytest.mark.parametrize(
    "tampered",
    [
        "name = 'Person 2 '",
        "name = 'person 2'",
        "name = ''",
        "name = NULL",
        "blank = ' '",
        "amount = 12400.051",
        "ratio = 0.10000000000000002",
        "local_time = '2026-03-01 07:30:01'",
        "moment = '2026-03-01 07:30:00.000006'",
        "born = '2026-01-02'",
        "is_open = NULL",
        "opens = '08:15:01'",
    ],
)
def test_the_smallest_change_of_a_value_is_a_difference(loaded: World, tampered: str) -> None:
    change(loaded, f"UPDATE {{users}} SET {tampered} WHERE id = 2")
    report = verified_by(NOTHING_KNOWN, loaded)
    assert (report.different, report.missing, report.extra) == (1, 0, 0)
    assert report.examples[0] == "different 2"


@pytest.mark.parametrize(
    "tampered",
    [
        "amount = '7x'",
        "ratio = 'much'",
        "is_open = 2",
        "is_open = 'maybe'",
        "born = '2026-01-01T23:00'",
        "born = 'soon'",
        "moment = 'yesterday'",
        "local_time = 7",
        "opens = 'late'",
        "tags = '{{broken'",
        "tags = x'00ff'",
        "name = x'ff'",
        "id = 'two'",
        "_deleted_at = 'once'",
    ],
)
def test_what_only_sqlite_takes_ends_in_no_traceback(
    request: pytest.FixtureRequest, loaded: World, tampered: str
) -> None:
    if not loaded.warehouse.is_sqlite:
        pytest.skip("others refuse such values")
    change(loaded, f"UPDATE {{users}} SET {tampered} WHERE id = 2")
    report = verified_by(NOTHING_KNOWN, loaded)
    assert not report.is_equal
    assert report.advice == "manage.py sync_fake_users --full"
    loaded.run(USERS, mode="full")
    assert verified_by(NOTHING_KNOWN, loaded).is_equal
