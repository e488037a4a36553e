"""``hold``, ``release``, ``prioritize``, ``move-to-front``: one task, several, or all that match a
filter."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ingestion.management.cli import lines
from ingestion.management.cli import options as parsed
from ingestion.management.cli.cli import Cli, Options
from ingestion.management.cli.failures import Conflict, WrongUse
from ingestion.management.cli.subcommands import Subcommands, add_choice
from ingestion.management.pool_cli.tasks import filters
from ingestion.pool.errors import AlreadyFinished, NotQueued, TaskNotFound
from ingestion.pool.errors import Conflict as Changed
from ingestion.pool.task import WorkerTask
from ingestion.services.tasks.bulk import BulkDone, TaskFilter

Action = Literal["hold", "release", "prioritize", "move_to_front", "cancel"]
# What a task may answer when others of its row are still to be done.
REFUSALS = (TaskNotFound, NotQueued, AlreadyFinished, Changed)


@dataclass(frozen=True)
class Wording:
    """How an action is told: before, as a question about ``{tasks}``, and after."""

    question: str
    done: str


WORDINGS: Mapping[Action, Wording] = {
    "hold": Wording("Hold {tasks}?", "held"),
    "release": Wording("Release {tasks}?", "released"),
    "prioritize": Wording("Change the priority of {tasks}?", "given the priority"),
    "move_to_front": Wording("Move {tasks} to the front?", "moved to the front"),
    "cancel": Wording("Cancel {tasks}?", "cancelled or asked to stop"),
}


@dataclass
class Tally:
    """What became of several tasks: the IDs that were done, and why the others were not."""

    done: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


def add(words: Subcommands) -> None:
    """The sub-commands of this module."""
    _add_many(words.add("hold", hold, "Keep queued tasks from starting; they keep their place."))
    _add_many(words.add("release", release, "Let held tasks go, to their old place."))
    level = words.add("prioritize", prioritize, "Change the priority of queued tasks.")
    level.add_argument(
        "--priority",
        type=parsed.whole_number,
        required=True,
        metavar="N",
        help="From -1000 to 1000, the higher the sooner.",
    )
    _add_many(level)
    _add_many(
        words.add(
            "move-to-front",
            move_to_front,
            "Let queued tasks start before all others.",
        )
    )


def _add_many(word: ArgumentParser) -> None:
    word.add_argument("id", nargs="*", metavar="ID", help="IDs of tasks, or their beginnings.")
    add_choice(word)


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
        all_that_match(cli, options, action, filters.of_waiting(chosen.filter))
    elif len(chosen.ids) == 1:
        _show_task(cli, _one(cli, options, action, chosen.ids[0]), WORDINGS[action].done)
    else:
        _show_tally(cli, _several(cli, options, action, chosen.ids), WORDINGS[action].done)


def _one(cli: Cli, options: Options, action: Action, task_id: str) -> WorkerTask:
    change = cli.change(options)
    match action:
        case "hold":
            return cli.pool.hold_task(task_id, change=change)
        case "release":
            return cli.pool.release_task(task_id, change=change)
        case "prioritize":
            return cli.pool.set_priority(task_id, options["priority"], change=change)
        case _:
            return cli.pool.move_to_front(task_id, change=change)


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


def all_that_match(cli: Cli, options: Options, action: Action, wanted: TaskFilter) -> None:
    """What was counted is what is done: a queue that has changed in between is left alone. Raises
    Conflict then, and when single tasks were not as they were counted."""
    said = WORDINGS[action]
    seen = cli.pool.select(wanted)
    count = len(seen.meant_by(action))
    can_be_undone = action != "cancel"
    filters.agree(cli, options, count, question=said.question, can_be_undone=can_be_undone)
    made = BulkDone(0)
    if count:
        made = cli.pool.bulk(
            action,
            wanted,
            digest=seen.digest,
            change=cli.change(options),
            priority=options.get("priority"),
        )
    refused = dict.fromkeys(made.conflicts, "it has changed in between")
    _show_counts(cli, made.done, refused, said.done)


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
