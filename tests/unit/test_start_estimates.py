"""The start of a task far back, from counts and rates: against values known beforehand, and against
the queue played through."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from ingestion.services.waiting.estimate import Backlog, span
from ingestion.services.waiting.run_times import NOTHING, Learned
from ingestion.services.waiting.simulation import Limits, Runs, Scene, Span, Waits, spans

# So many past runs that a range is hardly wider than its middle.
MANY = 10_000
PLAIN = [Limits(0, 2)]


def lasting(**seconds: float) -> dict[str, Learned]:
    return {crm: Learned((each,) * MANY, f"runs of {crm}") for crm, each in seconds.items()}


def middle(
    ahead: Mapping[str, int],
    *limits: Limits,
    of: str = "hubspot",
    running: Mapping[str, tuple[float, ...]] | None = None,
    ready_in: float = 0.0,
    **seconds: float,
) -> float:
    """Of the range, which is narrow."""
    backlog = Backlog(of, ahead, running or {}, ready_in)
    found = span(backlog, limits or PLAIN, lasting(**seconds))
    assert found is not None
    assert found.latest_seconds - found.earliest_seconds <= 0.06 * found.latest_seconds
    return math.sqrt(found.earliest_seconds * found.latest_seconds)


def is_about(seconds: float) -> object:
    return pytest.approx(seconds, rel=0.01)


class TestKnownStarts:
    def test_all_work_is_shared_by_the_slots(self) -> None:
        assert middle({"hubspot": 1000}, hubspot=60) == is_about(1000 * 60 / 2)

    def test_what_runs_takes_its_rest(self) -> None:
        found = middle({"hubspot": 9}, hubspot=60, running={"hubspot": (40.0, 40.0)})
        assert found == is_about((9 * 60 + 2 * 20) / 2)

    def test_a_limited_crm_holds_nobody_else_up(self) -> None:
        limits = Limits(0, 3, {"hubspot": 1})
        ahead = {"hubspot": 100, "genius": 500}
        assert middle(ahead, limits, of="genius", hubspot=100, genius=10) == is_about(5000 / 2)
        assert middle(ahead, limits, of="hubspot", hubspot=100, genius=10) == is_about(10_000)

    def test_what_a_limited_crm_has_done_leaves_its_slot(self) -> None:
        limits = Limits(0, 2, {"hubspot": 1})
        found = middle({"hubspot": 10, "genius": 300}, limits, of="genius", hubspot=10, genius=10)
        assert found == is_about(100 + (3000 - 100) / 2)

    def test_limited_crms_share_what_slots_there_are(self) -> None:
        limits = Limits(0, 2, {"hubspot": 2, "genius": 2})
        ahead = {"hubspot": 10, "genius": 20}
        assert middle(ahead, limits, of="arrivy", hubspot=100, genius=100) == is_about(1500)

    def test_a_paused_crm_takes_no_slot(self) -> None:
        limits = Limits(0, 2, {"hubspot": 0})
        found = middle({"hubspot": 9999, "genius": 10}, limits, of="genius", hubspot=9, genius=10)
        assert found == is_about(50)

    def test_a_pause_that_ends_is_waited_for(self) -> None:
        limits = Limits(0, 0), Limits(3600, 2)
        assert middle({"hubspot": 100}, *limits, hubspot=60) == is_about(3600 + 3000)

    def test_a_limit_that_falls_back_counts_from_then_on(self) -> None:
        limits = Limits(0, 4), Limits(100, 1)
        assert middle({"hubspot": 100}, *limits, hubspot=10) == is_about(100 + (1000 - 400))

    def test_its_own_time_is_waited_for(self) -> None:
        assert middle({"hubspot": 10}, hubspot=10, ready_in=500) == 500


class TestUnknownStarts:
    @pytest.mark.parametrize(
        "limits", [[Limits(0, 0)], [Limits(0, 2, {"hubspot": 0})]], ids=["pool", "crm"]
    )
    def test_a_pause_without_end(self, limits: list[Limits]) -> None:
        assert span(Backlog("hubspot", {"genius": 9}, {}), limits, lasting(genius=1)) is None

    def test_no_past_runs(self) -> None:
        assert span(Backlog("hubspot", {"hubspot": 9}, {}), PLAIN, {"hubspot": NOTHING}) is None

    def test_few_past_runs_make_a_wide_range(self) -> None:
        backlog = Backlog("hubspot", {"hubspot": 100}, {})
        found = span(backlog, PLAIN, {"hubspot": Learned((60.0,) * 5)})
        assert found is not None
        assert found.earliest_seconds < 2000 < 4000 < found.latest_seconds


@pytest.mark.parametrize("per_crm", [{}, {"hubspot": 1}], ids=["free", "limited"])
@pytest.mark.parametrize("of", ["hubspot", "genius", "arrivy"])
def test_the_played_queue_starts_it_within_the_range(per_crm: dict[str, int], of: str) -> None:
    """Six hundred tasks of three CRMs stand before it, whose runs differ."""
    learned = {
        "hubspot": Learned(tuple(60.0 + 40 * (n % 5) for n in range(100))),
        "genius": Learned(tuple(20.0 + 10 * (n % 3) for n in range(100))),
        "arrivy": Learned(tuple(5.0 + n % 4 for n in range(100))),
    }
    limits = [Limits(0, 3, per_crm)]
    crms = ["hubspot", "genius", "arrivy"]
    line = [Waits(crms[n % 3], "all") for n in range(600)] + [Waits(of, "all")]
    running = [Runs(crm, "all", 3.0) for crm in crms]
    played = spans(Scene(running, line, limits), lambda crm, _: learned[crm])[-1]
    counted = span(
        Backlog(of, dict.fromkeys(crms, 200), {crm: [3.0] for crm in crms}), limits, learned
    )
    assert isinstance(played, Span)
    assert isinstance(counted, Span)
    between = math.sqrt(played.earliest_seconds * played.latest_seconds)
    assert counted.earliest_seconds < between < counted.latest_seconds
    assert counted.latest_seconds < 2 * counted.earliest_seconds
