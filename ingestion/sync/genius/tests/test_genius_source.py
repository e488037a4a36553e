"""What the source reads of a table, and when."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from ingestion.sync.common.errors import PermanentError, SyncCancelled
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.source import Model, SourceContext, Window
from ingestion.sync.genius.settings import DATABASE_URL, TIME_ZONE, GeniusModel
from ingestion.sync.genius.source import Source
from ingestion.sync.genius.tests.conftest import VISITS, Genius

AddVisit = Callable[..., None]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def ids(records: list[dict[str, object]]) -> list[object]:
    return [record["id"] for record in records]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100])
def test_a_full_read_has_every_row_once_in_the_order_of_the_key(
    genius: Genius, add_visit: AddVisit, size: int
) -> None:
    for key in (5, 3, 9, 1, 7, 2, 8):
        add_visit(key, "2026-03-01 12:00:00")
    assert ids(genius.read(VISITS, size=size)) == [1, 2, 3, 5, 7, 8, 9]


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_a_delta_read_comes_in_the_order_of_change(
    genius: Genius, add_visit: AddVisit, size: int
) -> None:
    for key, hour in ((1, 14), (2, 12), (3, 13), (4, 12), (5, 12), (6, 11)):
        add_visit(key, f"2026-03-01 {hour}:00:00")
    window = Window(since=at("2026-03-01 12:00:00"))
    assert ids(genius.read(VISITS, window, size=size)) == [2, 4, 5, 3, 1]


def test_both_ends_of_a_window_belong_to_it(genius: Genius, add_visit: AddVisit) -> None:
    for hour in range(10, 15):
        add_visit(hour, f"2026-03-01 {hour}:00:00")
    window = Window(since=at("2026-03-01 11:00:00+00:00"), until=at("2026-03-01 13:00:00+00:00"))
    assert ids(genius.read(VISITS, window)) == [11, 12, 13]


def test_a_row_whose_cursor_tells_no_time_is_read_by_every_delta(
    genius: Genius, add_visit: AddVisit
) -> None:
    """Nothing else would show that it has changed, or that it was put in with an old date."""
    add_visit(1, None, "2020-01-01 11:00:00")
    add_visit(2, "2020-01-01 11:00:00")
    assert ids(genius.read(VISITS, Window(since=at("2026-03-01 12:00:00")))) == [1]


def test_of_a_window_with_an_end_an_untouched_row_counts_by_when_it_was_added(
    genius: Genius, add_visit: AddVisit
) -> None:
    add_visit(1, None, "2026-03-01 11:00:00")
    add_visit(2, None, "2026-03-01 12:00:00")
    add_visit(3, "2026-03-01 13:00:00", "2026-03-01 09:00:00")
    add_visit(4, "2026-03-01 10:00:00", "2026-03-01 10:00:00")
    window = Window(since=at("2026-03-01 12:00:00"), until=at("2026-03-01 14:00:00+00:00"))
    assert ids(genius.read(VISITS, window)) == [3, 2]


def test_a_row_without_any_time_is_always_read(genius: Genius, add_visit: AddVisit) -> None:
    add_visit(1, None, None)
    add_visit(2, "2026-03-01 10:00:00")
    assert ids(genius.read(VISITS, Window(since=at("2026-03-02 00:00:00")))) == [1]


def test_a_day_column_takes_in_the_whole_day(genius: Genius) -> None:
    model = GeniusModel(
        "days", table="day", cursor="updated_at", incremental="cursor", added_column="added_on"
    )
    genius.run(
        "CREATE TABLE day (id INTEGER PRIMARY KEY, added_on DATE, updated_at DATETIME)",
        "INSERT INTO day VALUES (1, '2026-03-01', NULL), (2, '2026-02-28', NULL)",
    )
    window = Window(since=at("2026-03-01 15:00:00"), until=at("2026-03-01 16:00:00+00:00"))
    assert ids(genius.read(model, window)) == [1]


def test_a_model_without_a_cursor_is_read_whole(genius: Genius, add_visit: AddVisit) -> None:
    add_visit(1, "2020-01-01 00:00:00")
    model = GeniusModel("visits", table="visit")
    assert ids(genius.read(model, Window(since=at("2026-03-01 00:00:00+00:00")))) == [1]


def test_times_stay_as_the_server_tells_them(genius: Genius, add_visit: AddVisit) -> None:
    add_visit(1, "2026-03-01 12:00:00")
    (record,) = genius.read(VISITS, zone="America/Chicago")
    assert record["updated_at"] == at("2026-03-01 12:00:00")


def test_a_window_in_utc_is_read_in_the_time_of_the_server(
    genius: Genius, add_visit: AddVisit
) -> None:
    add_visit(1, "2026-03-01 05:59:59")
    add_visit(2, "2026-03-01 06:00:00")
    window = Window(since=datetime(2026, 3, 1, 12, tzinfo=UTC))
    assert ids(genius.read(VISITS, window, zone="America/Chicago")) == [2]


def test_the_hour_that_autumn_repeats_is_read_again(genius: Genius, add_visit: AddVisit) -> None:
    """The watermark 01:50 may be of the first pass, and 01:10 of the second."""
    add_visit(1, "2026-11-01 01:10:00")
    add_visit(2, "2026-11-01 00:40:00")
    window = Window(since=at("2026-11-01 01:50:00"))
    assert ids(genius.read(VISITS, window, zone="America/Chicago")) == [1]
    assert genius.read(VISITS, window, zone="UTC") == []


def test_rows_that_share_a_part_of_a_composite_key_all_come(genius: Genius) -> None:
    genius.run(
        "CREATE TABLE link (team TEXT, member INTEGER, PRIMARY KEY (team, member))",
        "INSERT INTO link VALUES ('b', 1), ('a', 2), ('a', 1), ('b', 3), ('a', 3), ('b', 2)",
    )
    model = GeniusModel("links", table="link", key=("team", "member"))
    read = [(r["team"], r["member"]) for r in genius.read(model, size=2)]
    assert read == list(itertools.product("ab", (1, 2, 3)))


def test_a_model_key_that_is_not_unique_loses_no_row(genius: Genius) -> None:
    genius.run(
        "CREATE TABLE draw (id INTEGER PRIMARY KEY, number INTEGER)",
        "INSERT INTO draw VALUES (1, 7), (2, 7), (3, 7), (4, 7)",
    )
    assert len(genius.read(GeniusModel("draws", table="draw", key=("number",)), size=2)) == 4


def test_a_row_that_comes_while_pages_are_read_waits_for_the_next_run(
    genius: Genius, add_visit: AddVisit
) -> None:
    """Its updated_at would become the watermark, past a change that this run did not see."""
    genius.run("PRAGMA journal_mode=WAL")
    for key in (1, 2, 3):
        add_visit(key, "2026-03-01 12:00:00")
    pages = genius.source().pages(VISITS, Window(), batch_size=1)
    assert ids(list(next(pages).records)) == [1]
    genius.run("UPDATE visit SET updated_at = '2026-03-01 13:00:00.000000' WHERE id = 1")
    add_visit(4, "2026-03-01 14:00:00")
    assert [ids(list(page.records)) for page in pages] == [[2], [3]]


SECRETS = (
    "password", "password_hash", "userPassword", "passwd", "pass", "user_pwd", "salt", "api_key",
    "ApiKey", "reset_token", "token2", "client_secret", "private_key",
)  # fmt: skip
NO_SECRETS = ("tokenized_at", "passport", "pass_count", "keyword", "secretary_id", "salting", "key")


def test_secrets_are_not_read(genius: Genius) -> None:
    names = ", ".join(f'"{name}"' for name in SECRETS + NO_SECRETS)
    genius.run(f"CREATE TABLE person (id INTEGER PRIMARY KEY, {names})")
    genius.run("INSERT INTO person (id) VALUES (1)")
    model = GeniusModel("people", table="person")
    (record,) = genius.read(model)
    assert set(record) == set(genius.source().columns(model)) == {"id", *NO_SECRETS}


def test_keys_tell_what_is_left(genius: Genius) -> None:
    genius.run(
        "CREATE TABLE link (team TEXT, member DECIMAL, note TEXT, PRIMARY KEY (team, member))",
        "INSERT INTO link VALUES ('b', 1, 'x'), ('a', 2, 'y')",
    )
    model = GeniusModel("links", table="link", key=("team", "member"))
    found = [record for page in genius.source().keys(model) for record in page]
    assert found == [{"team": "a", "member": 2}, {"team": "b", "member": 1}]


def test_queries_are_counted(genius: Genius, add_visit: AddVisit) -> None:
    add_visit(1, "2026-03-01 12:00:00")
    source = genius.source()
    source.columns(VISITS)
    before = genius.meter.requests
    list(source.pages(VISITS, Window(), batch_size=1))
    # BEGIN is one of SQLite's; then the page, and the empty one that ends the reading.
    assert genius.meter.requests - before == 3


def test_a_stop_ends_the_reading_between_two_pages(genius: Genius, add_visit: AddVisit) -> None:
    class StopsSecond(SilentReporter):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks == 2:
                raise SyncCancelled("enough")

    for key in (1, 2, 3):
        add_visit(key, "2026-03-01 12:00:00")
    settings = {DATABASE_URL: genius.url, TIME_ZONE: "UTC"}
    source = Source(SourceContext(settings, reporter=StopsSecond()))
    pages = source.pages(VISITS, Window(), batch_size=1)
    next(pages)
    with pytest.raises(SyncCancelled):
        next(pages)


def test_a_column_that_the_table_lacks_is_named(genius: Genius) -> None:
    genius.run("CREATE TABLE bare (id INTEGER PRIMARY KEY)")
    model = GeniusModel("bares", table="bare", cursor="updated_at", incremental="cursor")
    with pytest.raises(PermanentError, match="bare has no column updated_at"):
        genius.source().columns(model)


def test_a_model_of_another_crm_is_refused(genius: Genius) -> None:
    with pytest.raises(TypeError, match="not a model of Genius"):
        genius.source().columns(Model("visits"))
