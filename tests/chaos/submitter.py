"""A user at the web's doors: submits what is planned, whatever the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import requests

from tests.chaos.notes import LimitChange, Notes
from tests.chaos.plan import Submission

HTTP_SECONDS = 30.0
PAUSE_SECONDS = 0.3


class Web:
    """Calls of the web process."""

    def __init__(self, url: str, notes: Notes) -> None:
        self._url = url
        self._notes = notes

    def ask(self, door: str, **asked: Any) -> Any:
        """The answer; None when there was none, or a refusal, which is counted by its kind."""
        try:
            answer = requests.post(f"{self._url}/{door}", json=asked, timeout=HTTP_SECONDS).json()
        except (requests.RequestException, ValueError) as problem:
            self._notes.refused[f"{door}: {type(problem).__name__}"] += 1
            return None
        self._notes.call_seconds.append((answer["seconds"], door))
        if "error" in answer:
            self._notes.refused[f"{door}: {answer['error'].split(':')[0]}"] += 1
            return None
        return answer

    def answers(self) -> bool:
        try:
            requests.post(f"{self._url}/stats", json={}, timeout=2).json()
        except (requests.RequestException, ValueError):
            return False
        return True

    def set_limit(self, max_workers: int) -> None:
        change = LimitChange(max_workers, time.monotonic())
        self._notes.limits.append(change)
        if self.ask("limit", max_workers=max_workers) is not None:
            change.answered_at = time.monotonic()


class Submitter(threading.Thread):
    """Submits one after the other, spread over ``seconds``. One whose answer was lost is not
    submitted again: nobody knows whether it was accepted."""

    def __init__(
        self, web: Web, notes: Notes, submissions: Sequence[Submission], *, seconds: float
    ) -> None:
        super().__init__(daemon=True)
        self._web = web
        self._notes = notes
        self._submissions = submissions
        self._gap = seconds / max(1, len(submissions))
        self.asked = 0

    def run(self) -> None:
        began = time.monotonic()
        for number, submission in enumerate(self._submissions):
            time.sleep(max(0.0, began + number * self._gap - time.monotonic()))
            if not self._submit(submission):
                time.sleep(PAUSE_SECONDS)

    def _submit(self, submission: Submission) -> bool:
        begin = time.monotonic()
        answer = self._web.ask("submit", **submission.asked())
        self.asked += 1
        if answer is None:
            return False
        task_id = answer["answer"]
        self._notes.accepted[task_id] = begin
        self._notes.max_attempts[task_id] = submission.max_attempts
        return True
