"""Reads what waits page by page, so that a long queue never blocks the server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ingestion.pool.clock import to_us
from ingestion.pool.queue_place import PARTS, QueuePage, QueuePlace, parts_from
from ingestion.pool.redis import replies as answers
from ingestion.pool.redis.scripts import RedisScripts
from ingestion.pool.store import READ_PAGE
from ingestion.pool.task import WorkerTask


def queued(scripts: RedisScripts, *, offset: int, limit: int | None) -> tuple[WorkerTask, ...]:
    found: list[WorkerTask] = []
    for part in PARTS:
        rest = None if limit is None else limit - len(found)
        of_part, count = _walk(scripts, part, offset=max(0, offset), limit=rest)
        found += of_part
        offset -= count
    return tuple(found)


def _walk(
    scripts: RedisScripts, part: str, *, offset: int, limit: int | None
) -> tuple[list[WorkerTask], int]:
    """The tasks of one part, and how many it holds in all. Read page by page, so that a long
    queue never blocks the server. The cursor: the last score, and how many with it were seen.
    """
    found: list[WorkerTask] = []
    score, skip, count = "-inf", offset, 0
    while True:
        at_most = READ_PAGE if limit is None else min(READ_PAGE, limit - len(found))
        pairs, scores, count = scripts.call(
            "queued", part=part, score=score, skip=skip, at_most=at_most
        )
        found += scripts.readable(pairs)
        if len(pairs) < READ_PAGE or at_most < READ_PAGE:
            return found, int(count)
        last = answers.text(scores[-1])
        same = sum(1 for s in scores if answers.text(s) == last)
        skip = skip + same if last == score else same
        score = last


def queue_page(scripts: RedisScripts, *, after: QueuePlace | None, limit: int) -> QueuePage:
    found: list[tuple[WorkerTask, QueuePlace]] = []
    last, seen = after, 0
    for part in parts_from(after):
        pairs, scores, last_us = scripts.call(
            "queue_page", **_behind(part, after), at_most=limit - seen
        )
        seen += len(pairs)
        for pair, score in zip(pairs, scores, strict=True):
            last = _place(part, score, last_us, pair[0])
            found += [
                (task, replace(last, queued_us=to_us(task.queued_at)))
                for task in scripts.readable([pair])
            ]
        if seen == limit:
            break
    tasks, places = tuple(task for task, _ in found), tuple(place for _, place in found)
    return QueuePage(tasks, places, last if seen == limit and seen else None)


def _behind(part: str, after: QueuePlace | None) -> dict[str, Any]:
    """What the script wants to know of the place where a part goes on."""
    if after is None or after.part != part:
        return {"part": part, "score": "", "queued_us": 0, "task_id": ""}
    place = {"score": after.number, "queued_us": after.queued_us, "task_id": after.task_id}
    return {"part": part, **place}


def _place(part: str, score: Any, queued_us: Any, task_id: Any) -> QueuePlace:
    number = int(float(answers.text(score)))
    return QueuePlace(part, number, answers.number(answers.text(queued_us)), answers.text(task_id))
