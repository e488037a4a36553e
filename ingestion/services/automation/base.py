"""What a rule is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from ingestion.models.automation import Level
from ingestion.pool.change import ChangeRequest
from ingestion.pool.overlap import OnOverlap
from ingestion.services.automation.facts import Facts
from ingestion.services.requests.submission import Submission

if TYPE_CHECKING:
    from ingestion.services.worker_pool import WorkerPoolService


@dataclass(frozen=True)
class Recommendation:
    """What a rule would do, in a sentence with its figures. ``subject``: a route, a CRM, or the
    pool; one cooldown is kept for each. ``figures`` are all that ``act`` needs, as JSON."""

    crm_source: str
    subject: str
    sentence: str
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def sync_type(self) -> str:
        return self.subject.partition(".")[2]


@dataclass(frozen=True)
class Hands:
    """What a rule may act with, and as whom."""

    pool: WorkerPoolService
    actor: str

    def change(self, about: Recommendation) -> ChangeRequest:
        """A change for what was found."""
        return ChangeRequest(by=self.actor, reason=about.sentence)

    def submit(self, about: Recommendation, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run the route again; a task that waits to do the same is enough."""
        asked = Submission(
            about.crm_source,
            about.sync_type,
            parameters,
            requested_by=self.actor,
            reason=about.sentence,
            on_overlap=OnOverlap.COALESCE,
        )
        return {"task_id": self.pool.submit(asked).task_id}


class Rule(ABC):
    """One rule. The class variables are its defaults; an operator sets them otherwise."""

    name: ClassVar[str]
    does: ClassVar[str]
    level: ClassVar[Level] = Level.ASK
    cooldown_minutes: ClassVar[int] = 60
    hourly_limit: ClassVar[int] = 4

    @abstractmethod
    def find(self, facts: Facts) -> Iterator[Recommendation]:
        """Where it must act. Changes nothing."""

    @abstractmethod
    def act(self, about: Recommendation, hands: Hands) -> dict[str, Any]:
        """Do it, by verbs of the services alone; what was done, as JSON."""
