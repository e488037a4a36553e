"""Prints, for a load, what each resource is used for, which is used up first, and how long tasks wait."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

from benchmarks.capacity.costs import Costs, described
from benchmarks.capacity.queueing import (
    HOUR_SECONDS,
    at_full_hours,
    at_random,
    chance_to_wait,
    mean_wait_seconds,
    median_and_99th,
    waits,
)
from benchmarks.capacity.resources import Load, Resource, resources

SIMULATED_AT_LEAST = 500_000


def main(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    if options.costs:
        print("\n".join(_costs()))
        return 0
    load = Load(
        workers=options.workers,
        tasks_per_day=options.tasks_per_day,
        task_seconds=options.task_seconds,
        workers_per_host=options.workers_per_host,
        queued=options.queued,
    )
    costs = Costs(**{one.name: getattr(options, one.name) for one in fields(Costs)})
    print("\n".join([*_resources(load, costs), "", *_waits(load)]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--workers", type=_whole, default=1_000, help="processes that run tasks")
    parser.add_argument("--tasks-per-day", type=_whole, default=10_000_000)
    parser.add_argument("--task-seconds", type=_positive, default=6.0, help="mean of a task")
    parser.add_argument("--workers-per-host", type=_whole, default=20)
    parser.add_argument("--queued", type=_whole, default=500_000, help="when most tasks wait")
    parser.add_argument("--costs", action="store_true", help="list the costs with their sources")
    group = parser.add_argument_group("costs")
    for name, default, source, meaning in described():
        group.add_argument(
            f"--{name.replace('_', '-')}",
            type=_positive,
            default=default,
            help=f"{meaning} ({source}: %(default)s)",
        )
    return parser


def _positive(word: str) -> float:
    number = float(word)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("a number above 0 is needed")
    return number


def _whole(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError("a whole number above 0 is needed")
    return number


def _costs() -> Iterator[str]:
    yield f"{'cost':<24}{'default':>9}  source"
    for name, default, source, meaning in described():
        yield f"{name:<24}{default:>9g}  {source}: {meaning}"


def _resources(load: Load, costs: Costs) -> Iterator[str]:
    yield (
        f"{load.workers:,} workers on {load.hosts:,} hosts, {load.tasks_per_day:,} tasks a day "
        f"({load.per_second:,.1f} a second), {load.task_seconds:g} s each"
    )
    yield ""
    yield f"{'resource':<34}{'needs':>9}{'has':>9}  {'unit':<11}{'used':>6}  used up at"
    for one in sorted(resources(load, costs), key=lambda one: -one.used):
        yield (
            f"{one.name:<34}{_short(one.need):>9}{_short(one.has):>9}  {one.unit:<11}"
            f"{one.used:>6.0%}  {_end(one, load)}"
        )


def _short(number: float) -> str:
    return f"{number:,.2f}" if number < 10 else f"{number:,.0f}"


def _end(one: Resource, load: Load) -> str:
    if one.grows_with == "workers":
        return f"{one.times * load.workers:,.0f} workers"
    return f"{one.times * load.tasks_per_day / 1e6:,.1f} million tasks a day"


def _waits(load: Load) -> Iterator[str]:
    offered = load.per_second * load.task_seconds
    if offered >= load.workers:
        yield f"Tasks come faster than {load.workers:,} workers end them: the queue grows for ever."
        return
    mean = mean_wait_seconds(load.per_second, load.task_seconds, load.workers)
    yield f"{'wait for a slot':<34}{'mean s':>9}{'median s':>11}{'99 % s':>9}"
    yield f"{'at random, by Erlang C':<34}{mean:>9.2f}"
    arrivals: dict[str, Callable[[float, int], Iterator[float]]] = {
        "at random, simulated": at_random,
        "at full hours, simulated": at_full_hours,
    }
    count = _whole_hours(load)
    for name, comes in arrivals.items():
        found = waits(comes(load.per_second, count), load.task_seconds, load.workers)
        median, most = median_and_99th(found)
        yield f"{name:<34}{sum(found) / len(found):>9.2f}{median:>11.2f}{most:>9.2f}"
    yield f"{chance_to_wait(offered, load.workers):.2%} of those that come at random have to wait."


def _whole_hours(load: Load) -> int:
    """So many tasks: half of an hour's would be over before the last of them has waited."""
    each_hour = max(1, round(load.per_second * HOUR_SECONDS))
    return each_hour * math.ceil(SIMULATED_AT_LEAST / each_hour)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
