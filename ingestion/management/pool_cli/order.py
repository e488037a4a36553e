"""``hold``, ``release``, ``prioritize``, ``move-to-front``: one task or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ingestion.management.pool_cli import lines, task_ids
from ingestion.management.pool_cli.cli import Cli, Options
from ingestion.management.pool_cli.failures import Conflict, WrongUse
from ingestion.pool.errors import AlreadyFinished, NotQueued, TaskNotFound
from ingestion.pool.errors import Conflict as Changed
from ingestion.pool.task import WorkerTask

Action = Literal["hold", "release", "prioritize", "move_to_front"]
# What a task may answer when others of its row are still to be done.
REFUSALS = (TaskNotFound, NotQueued, AlreadyFinished, Changed)


DONE: Mapping[Action, str] = {
    "hold": "held",
    "release": "released",
    "prioritize": "given the priority",
    "move_to_front": "moved to the front",
}


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
    ids = [task_ids.find(typed) for typed in dict.fromkeys(options["id"])]
    if options["revision"] is not None and len(ids) != 1:
        raise WrongUse("--revision is what was seen of one task: give one ID.")
    if len(ids) == 1:
        _show_task(cli, _one(cli, options, action, ids[0]), DONE[action])
    else:
        _show_tally(cli, _several(cli, options, action, ids), DONE[action])


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


def _show_tally(cli: Cli, tally: Tally, done: str) -> None:
    _show_counts(cli, len(tally.done), tally.refused, done)


def _show_counts(cli: Cli, count: int, refused: Mapping[str, str], done: str) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "done": count, "conflicts": list(refused)})
    else:
        cli.out.line(f"{_counted(count)} {done}.")
    if refused:
        why = "; ".join(f"{task_id}: {problem}" for task_id, problem in refused.items())
        raise Conflict(f"{_counted(len(refused))} left alone. {why}")


def _show_task(cli: Cli, task: WorkerTask, done: str) -> None:
    if cli.out.as_json:
        cli.out.data({"schema": 1, "task": task.to_dict()})
    else:
        cli.out.line(f"Task {task.id}: {done}; {lines.place(task)}.")


def _counted(number: int) -> str:
    return f"{number} task{'' if number == 1 else 's'}"
