"""A user of the web's endpoints: submits what is planned, whatever the answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import requests

from tests.chaos.notes import Accepted, Call, LimitChange, Notes
from tests.chaos.plan import Submission

HTTP_SECONDS = 30.0
PAUSE_SECONDS = 0.3


class Web:
    """Calls of the web process."""

    def __init__(self, url: str, notes: Notes) -> None:
        self._url = url
        self._notes = notes

    def ask(self, endpoint: str, **asked: Any) -> Any:
        """The answer; None when there was none, or a refusal, which is noted."""
        begin, answer, refusal = time.monotonic(), None, ""
        try:
            answer = requests.post(
                f"{self._url}/{endpoint}", json=asked, timeout=HTTP_SECONDS
            ).json()
            refusal = answer.get("error", "").split(":")[0]
        except (requests.RequestException, ValueError) as problem:
            refusal = type(problem).__name__
        self._notes.calls.append(Call(endpoint, begin, time.monotonic(), refusal))
        return None if refusal else answer

    def cancel(self, task_id: str) -> None:
        """Noted before it is asked: without an answer it may have been done all the same."""
        self._notes.cancels.setdefault(task_id, False)
        answer = self.ask("cancel", task_id=task_id)
        self._notes.cancels[task_id] |= bool(answer and answer["answer"])

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
        self._notes.accepted[task_id] = Accepted(
            task_id, begin, time.monotonic(), submission.priority
        )
        self._notes.max_attempts[task_id] = submission.max_attempts
        return True
