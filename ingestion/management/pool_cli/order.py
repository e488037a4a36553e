"""``hold``, ``release``, ``prioritize``, ``move-to-front``: one task, several, or all that match a
filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ingestion.management.pool_cli import filters, lines
from ingestion.management.pool_cli.cli import Cli, Options
from ingestion.management.pool_cli.failures import Conflict, WrongUse
from ingestion.pool.errors import AlreadyFinished, NotQueued, TaskNotFound
from ingestion.pool.errors import Conflict as Changed
from ingestion.pool.task import WorkerTask
from ingestion.services.selection import TaskFilter

Action = Literal["hold", "release", "prioritize", "move_to_front", "cancel"]
# What a task may answer when others of its row are still to be done.
REFUSALS = (TaskNotFound, NotQueued, AlreadyFinished, Changed)


@dataclass(frozen=True)
class Said:
    """How a deed is told: before, as a question about ``{tasks}``, and after."""

    question: str
    done: str


SAID: Mapping[Action, Said] = {
    "hold": Said("Hold {tasks}?", "held"),
    "release": Said("Release {tasks}?", "released"),
    "prioritize": Said("Change the priority of {tasks}?", "given the priority"),
    "move_to_front": Said("Move {tasks} to the front?", "moved to the front"),
    "cancel": Said("Cancel {tasks}?", "cancelled or asked to stop"),
}


# What a deed changes nothing of is not counted, and not touched: a held task is held.
CHANGED: Mapping[Action, Sequence[str]] = {"hold": ("delayed", "queued"), "release": ("held",)}


@dataclass
class Tally:
    """What became of several tasks: the IDs that were done, and why the others were not."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def hold(cli: Cli, options: Options) -> None:
    _act(cli, options, "hold")


def release(cli: Cli, options: Options) -> None:
    _act(cli, options, "release")


def prioritize(cli: Cli, options: Options) -> None:
    _act(cli, options, "prioritize")


def move_to_front(cli: Cli, options: Options) -> None:
    _act(cli, options, "move_to_front")


def _act(cli: Cli, options: Options, action: Action) -> None:
    """Raises Conflict when a task was not as it was seen."""
    chosen = filters.chosen(options, options["id"])
    if options["revision"] is not None and len(chosen.ids) != 1:
        raise WrongUse("--revision is what was seen of one task: give one ID.")
    if chosen.filter is not None:
        all_that_match(
            cli,
            options,
            action,
            filters.of_waiting(chosen.filter, CHANGED.get(action, filters.WAITING)),
        )
    elif len(chosen.ids) == 1:
        _show_task(cli, _one(cli, options, action, chosen.ids[0]), SAID[action].done)
    else:
        _show_tally(cli, _several(cli, options, action, chosen.ids), SAID[action].done)


def _one(cli: Cli, options: Options, action: Action, task_id: str) -> WorkerTask:
    given: dict[str, Any] = {
        "actor": cli.actor,
        "reason": options["reason"],
        "expected_revision": options["revision"],
    }
    match action:
        case "hold":
            return cli.pool.hold_task(task_id, **given)
        case "release":
            return cli.pool.release_task(task_id, **given)
        case "prioritize":
            return cli.pool.set_priority(task_id, options["priority"], **given)
        case _:
            return cli.pool.move_to_front(task_id, **given)


def _several(cli: Cli, options: Options, action: Action, ids: Sequence[str]) -> Tally:
    tally = Tally()
    for task_id in ids:
        try:
            _one(cli, options, action, task_id)
        except REFUSALS as problem:
            tally.refused[task_id] = str(problem)
        else:
            tally.done.append(task_id)
    return tally


def all_that_match(
    cli: Cli, options: Options, action: Action, wanted_ones: Sequence[TaskFilter]
) -> None:
    """What was counted is what is done: a queue that has changed in between is left alone. Raises
    Conflict then, and when single tasks were not as they were counted."""
    said = SAID[action]
    seen = [(wanted, cli.pool.select(wanted)) for wanted in wanted_ones]
    count = sum(found.count for _, found in seen)
    can_be_undone = action != "cancel"
    filters.agree(cli, options, count, question=said.question, can_be_undone=can_be_undone)
    made = [
        cli.pool.bulk(
            action,
            wanted,
            digest=found.digest,
            actor=cli.actor,
            reason=options["reason"],
            priority=options.get("priority"),
        )
        for wanted, found in seen
        if found.count
    ]
    conflicts = [task_id for done in made for task_id in done.conflicts]
    refused = dict.fromkeys(conflicts, "it has changed in between")
    _show_counts(cli, sum(done.done for done in made), refused, said.done)


def _show_tally(cli: Cli, tally: Tally, done: str) -> None:
    _show_counts(cli, len(tally.done), tally.refused, done)


def _show_counts(cli: Cli, count: int, refused: Mapping[str, str], done: str) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "done": count, "conflicts": list(refused)})
    else:
        cli.out.line(f"{filters.counted(count)} {done}.")
    if refused:
        why = "; ".join(f"{task_id}: {problem}" for task_id, problem in refused.items())
        raise Conflict(f"{filters.counted(len(refused))} left alone. {why}")


def _show_task(cli: Cli, task: WorkerTask, done: str) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict()})
    else:
        cli.out.line(f"Task {task.id}: {done}; {lines.place(task)}.")
