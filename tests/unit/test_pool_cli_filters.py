"""Filters on the command line: which tasks are listed, counted, changed, cancelled."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from ingestion.services.worker_pool import WorkerPoolService
from tests.unit.pool_shell import Terminal, manage, pool_in_memory


@pytest.fixture
def pool(db: None) -> Iterator[WorkerPoolService]:
    """genius fills both slots; two tasks of hubspot and one of five9 wait, one of them delayed."""
    with pool_in_memory() as service:
        for _ in range(2):
            service.submit_task("genius", "leads", requested_by="ann")
        service.submit_task("hubspot", "contacts", requested_by="ann")
        service.submit_task("hubspot", "deals", requested_by="bob")
        later = timezone.now() + timedelta(hours=1)
        service.submit_task("five9", "contacts", not_before=later, requested_by="bob")
        yield service


def listed(*words: str) -> list[str]:
    shape = manage("list-tasks", "--json", *words).shape
    tasks = [task for name in ("active", "queued", "delayed", "held") for task in shape[name]]
    return [f"{task['crm_source']}.{task['sync_type']}" for task in tasks]


class TestListing:
    @pytest.mark.parametrize(
        ("words", "routes"),
        [
            (("--crm", "hubspot"), ["hubspot.contacts", "hubspot.deals"]),
            (("--type", "contacts"), ["hubspot.contacts", "five9.contacts"]),
            (("--status", "delayed"), ["five9.contacts"]),
            (("--status", "running"), ["genius.leads", "genius.leads"]),
            (("--by", "bob"), ["hubspot.deals", "five9.contacts"]),
            (("--by", "bob", "--crm", "hubspot"), ["hubspot.deals"]),
            (("--older-than", "1h"), []),
        ],
    )
    def test_shows_what_matches(
        self, pool: WorkerPoolService, words: tuple[str, ...], routes: list[str]
    ) -> None:
        assert listed(*words) == routes

    def test_counts_what_matches(self, pool: WorkerPoolService) -> None:
        shape = manage("list-tasks", "--crm", "hubspot", "--limit", "1", "--json").shape
        assert (len(shape["queued"]), shape["queued_count"], shape["active_count"]) == (1, 2, 0)

    def test_a_list_goes_on_where_it_has_ended(self, pool: WorkerPoolService) -> None:
        first = manage("list-tasks", "--limit", "1", "--json").shape
        assert (first["active_count"], len(first["queued"])) == (2, 1)
        words = ("list-tasks", "--limit", "2", "--cursor", first["next_cursor"])
        shape = manage(*words, "--json").shape
        assert [t["sync_type"] for t in (*shape["queued"], *shape["delayed"])] == [
            "deals",
            "contacts",
        ]
        assert "active" not in shape
        assert shape["queued"][0]["position"] == 2
        assert "--cursor" in manage("list-tasks", "--limit", "1").err
        assert manage("list-tasks", "--cursor", "<b>").code == 2

    def test_an_export_holds_all(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.services.reporting.task_list.BATCH", 1)
        assert len(listed("--all", "--limit", "1")) == 5
        assert listed("--all", "--limit", "1", "--crm", "hubspot") == [
            "hubspot.contacts",
            "hubspot.deals",
        ]

    def test_a_filter_looks_through_so_many_tasks_and_goes_on(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ingestion.services.reporting.task_list.MOST_LOOKED_AT", 1)
        ran = manage("list-tasks", "--type", "deals", "--json")
        assert ran.shape["queued"] == []
        words = ("list-tasks", "--type", "deals", "--cursor", ran.shape["next_cursor"], "--json")
        assert len(manage(*words).shape["queued"]) == 1

    @pytest.mark.parametrize("words", [("--status", "done"), ("--older-than", "old")])
    def test_refuses_a_wrong_filter(self, pool: WorkerPoolService, words: tuple[str, ...]) -> None:
        assert manage("list-tasks", *words).code == 2


class TestChanging:
    def test_hold_all_that_match(self, pool: WorkerPoolService) -> None:
        ran = manage("hold", "--crm", "hubspot", "--yes", "--reason", "import")
        assert ran.out == "2 tasks held.\n"
        assert listed("--status", "held") == ["hubspot.contacts", "hubspot.deals"]
        assert manage("release", "--status", "held", "--yes", "--json").shape["done"] == 2

    def test_what_is_held_already_is_left_out(self, pool: WorkerPoolService) -> None:
        manage("hold", "--type", "deals", "--yes")
        assert manage("hold", "--crm", "hubspot", "--expected", "1").out == "1 task held.\n"
        assert manage("release", "--crm", "hubspot", "--expected", "2").code == 0

    def test_running_tasks_are_not_counted(self, pool: WorkerPoolService) -> None:
        assert manage("hold", "--by", "ann", "--expected", "1").code == 0

    def test_prioritize_all_that_match(self, pool: WorkerPoolService) -> None:
        manage("prioritize", "--type", "deals", "--priority", "9", "--yes")
        assert listed("--status", "queued") == ["hubspot.deals", "hubspot.contacts"]

    def test_it_asks_with_the_count(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", Terminal("n\n"))
        ran = manage("hold", "--crm", "hubspot")
        assert (ran.code, "Hold 2 tasks?" in ran.err) == (1, True)
        assert listed("--status", "held") == []

    def test_nobody_to_ask_is_wrong_use(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
        assert manage("hold", "--crm", "hubspot").code == 2

    def test_another_count_than_expected_changes_nothing(self, pool: WorkerPoolService) -> None:
        ran = manage("hold", "--crm", "hubspot", "--expected", "3")
        assert (ran.code, "It is 2 tasks now, not 3" in ran.message) == (4, True)
        assert listed("--status", "held") == []

    def test_a_queue_that_changes_under_the_question_is_left_alone(
        self, pool: WorkerPoolService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Slow(Terminal):
            def readline(self, size: int | None = -1, /) -> str:
                pool.submit_task("hubspot", "owners")
                return "y\n"

        monkeypatch.setattr("sys.stdin", Slow())
        assert manage("hold", "--crm", "hubspot").code == 4
        assert listed("--status", "held") == []

    @pytest.mark.parametrize("words", [(), ("abcd1234", "--crm", "hubspot")])
    def test_ids_or_a_filter(self, pool: WorkerPoolService, words: tuple[str, ...]) -> None:
        assert manage("hold", *words).code == 2

    def test_running_tasks_have_no_place(self, pool: WorkerPoolService) -> None:
        assert manage("move-to-front", "--status", "running", "--yes").code == 2


class TestEnding:
    def test_cancel_all_that_match_running_ones_too(self, pool: WorkerPoolService) -> None:
        assert manage("cancel", "--by", "ann", "--expected", "3", "--json").shape["done"] == 3
        assert "genius.leads" not in listed("--status", "running")

    def test_clear_queue_cancels_what_waits_and_matches(self, pool: WorkerPoolService) -> None:
        manage("clear-queue", "--by", "bob", "--yes")
        assert listed() == ["genius.leads", "genius.leads", "hubspot.contacts"]

    def test_clear_queue_leaves_running_ones_alone(self, pool: WorkerPoolService) -> None:
        manage("clear-queue", "--by", "ann", "--yes")
        assert listed() == ["genius.leads", "genius.leads", "hubspot.deals", "five9.contacts"]
        assert manage("clear-queue", "--status", "running", "--yes").code == 2

    def test_clear_queue_expects_a_count(self, pool: WorkerPoolService) -> None:
        assert manage("clear-queue", "--expected", "2").code == 4
        assert manage("clear-queue", "--expected", "3", "--json").shape["cancelled"] == 3
