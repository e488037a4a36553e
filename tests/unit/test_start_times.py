"""The queue played forward: who starts when, by the pool's own rule."""

from __future__ import annotations

from collections.abc import Sequence

from ingestion.services.waiting.run_times import NOTHING, Learned
from ingestion.services.waiting.simulation import (
    NEVER,
    Durations,
    Limits,
    Play,
    Runs,
    Scene,
    Span,
    Waits,
    spans,
)

HUBSPOT, FIVE9 = Waits("hubspot", "contacts"), Waits("five9", "contacts")
RUNS_HUBSPOT = Runs("hubspot", "contacts", elapsed_seconds=10)


def starts(
    waiting: Sequence[Waits],
    *,
    seconds: Sequence[float],
    running: Sequence[tuple[str, float]] = (),
    limits: Sequence[Limits] = (Limits(0, 1),),
) -> Sequence[float]:
    """``running``: CRMs, and the seconds that are left to each."""
    runs = [Runs(crm, "x", 0) for crm, _ in running]
    left = [seconds for _, seconds in running]
    return Play(Scene(runs, waiting, limits), Durations(left, seconds)).starts()


class TestPlay:
    def test_one_after_the_other_in_one_slot(self) -> None:
        assert starts([HUBSPOT] * 3, seconds=[5, 7, 9]) == [0, 5, 12]

    def test_two_slots_take_two_at_once(self) -> None:
        assert starts([HUBSPOT] * 3, seconds=[5, 7, 9], limits=[Limits(0, 2)]) == [0, 0, 5]

    def test_a_slot_is_free_when_its_task_ends(self) -> None:
        assert starts([HUBSPOT], seconds=[5], running=[("five9", 30)]) == [30]

    def test_a_limited_crm_blocks_no_other(self) -> None:
        found = starts(
            [HUBSPOT, HUBSPOT, FIVE9],
            seconds=[10, 10, 10],
            limits=[Limits(0, 2, {"hubspot": 1})],
        )
        assert found == [0, 10, 0]

    def test_what_is_paused_for_good_never_starts(self) -> None:
        found = starts([HUBSPOT, FIVE9], seconds=[1, 1], limits=[Limits(0, 1, {"hubspot": 0})])
        assert found == [NEVER, 0]

    def test_a_pause_ends_at_its_time(self) -> None:
        limits = [Limits(0, 0), Limits(60, 1)]
        assert starts([HUBSPOT, FIVE9], seconds=[5, 5], limits=limits) == [60, 65]

    def test_a_delayed_task_takes_its_place_in_the_line_when_its_time_has_come(self) -> None:
        first = Waits("five9", "contacts", ready_in_seconds=8)
        assert starts([first, HUBSPOT, HUBSPOT], seconds=[3, 10, 1]) == [10, 0, 13]

    def test_a_lowered_limit_starts_nothing_until_enough_have_ended(self) -> None:
        found = starts([HUBSPOT], seconds=[1], running=[("five9", 10), ("five9", 20)])
        assert found == [20]


def learn(*seconds: float) -> Learned:
    return Learned(seconds, "a test")


class TestSpans:
    def test_a_free_slot_is_a_certainty(self) -> None:
        scene = Scene([], [HUBSPOT], [Limits(0, 1)])
        assert spans(scene, lambda crm, kind: learn(60)) == [Span(0, 0)]

    def test_a_free_slot_needs_no_past_runs(self) -> None:
        scene = Scene([], [HUBSPOT, FIVE9], [Limits(0, 1)])
        assert spans(scene, lambda crm, kind: NOTHING) == [Span(0, 0), None]

    def test_a_start_that_never_comes_is_not_announced(self) -> None:
        scene = Scene([], [HUBSPOT], [Limits(0, 0)])
        assert spans(scene, lambda crm, kind: learn(60)) == [None]

    def test_the_range_lies_where_past_runs_say(self) -> None:
        scene = Scene([RUNS_HUBSPOT], [HUBSPOT], [Limits(0, 1)])
        (span,) = spans(scene, lambda crm, kind: learn(*[60] * 100))
        assert span is not None
        assert 40 < span.earliest_seconds < 50 < span.latest_seconds < 60

    def test_few_runs_give_a_wider_range_than_many(self) -> None:
        scene = Scene([RUNS_HUBSPOT], [HUBSPOT] * 4, [Limits(0, 1)])
        few, many = (
            spans(scene, lambda crm, kind, runs=runs: learn(*[50, 60, 70] * runs))[-1]
            for runs in (2, 33)
        )
        assert few is not None
        assert many is not None
        assert few.earliest_seconds < many.earliest_seconds
        assert many.latest_seconds < few.latest_seconds

    def test_a_run_that_outlasts_all_past_ones_may_still_go_on(self) -> None:
        scene = Scene([Runs("hubspot", "contacts", 500)], [HUBSPOT], [Limits(0, 1)])
        (span,) = spans(scene, lambda crm, kind: learn(*[60] * 20))
        assert span is not None
        assert span.latest_seconds > 100

    def test_the_same_queue_gives_the_same_range(self) -> None:
        scene = Scene([RUNS_HUBSPOT], [HUBSPOT] * 5, [Limits(0, 1)])
        first, second = (spans(scene, lambda crm, kind: learn(20, 60, 90)) for _ in range(2))
        assert first == second

    def test_a_long_queue_asks_once_per_route(self) -> None:
        drawn = []

        def count(crm: str, kind: str) -> Learned:
            drawn.append(kind)
            return learn(20, 60, 90)

        spans(Scene([], [HUBSPOT] * 1000, [Limits(0, 2)]), count)
        assert len(drawn) == 1
