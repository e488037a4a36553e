"""Asks a CRM for a few records of each model: are its credentials and rights in order?

Nothing is loaded. CRMs are asked side by side, each in a thread of its own, because no client
bounds every wait there is; what has not answered in time is said to have not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from ingestion.conf import crm_environment
from ingestion.services.runs.sources import source_context
from ingestion.services.security.secrets import mask_error
from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    NotOffered,
    QuotaExceeded,
    SettingsMissing,
    SyncError,
    SyncStopped,
    TransientError,
)
from ingestion.sync.common.progress import SilentReporter
from ingestion.sync.common.registry import crm, crms, load_source
from ingestion.sync.common.source import (
    AdaptsModels,
    Crm,
    CrmSource,
    Meter,
    Model,
    Page,
    Probes,
    SourceContext,
    Window,
)

logger = logging.getLogger(__name__)

PAGE_RECORDS = 5
REQUEST_SECONDS = 10
CRM_SECONDS = 60
CLOSING_SECONDS = 1  # how long a check that is out of time has to notice it


class State(StrEnum):
    OK = "ok"
    NOT_OFFERED = "not_offered"
    NOT_ALLOWED = "not_allowed"
    NOT_CONFIGURED = "not_configured"
    UNUSED = "unused"
    REFUSED = "credentials_refused"
    QUOTA = "quota_used_up"
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


RIGHT = frozenset({State.OK, State.NOT_OFFERED, State.UNUSED})
# What every further model of the CRM would be answered, too.
OF_THE_CRM = frozenset({State.NOT_CONFIGURED, State.REFUSED, State.QUOTA})
# The first that fits counts.
STATES: tuple[tuple[type[SyncError], State], ...] = (
    (SettingsMissing, State.NOT_CONFIGURED),
    (CredentialsError, State.REFUSED),
    (NotAllowed, State.NOT_ALLOWED),
    (NotOffered, State.NOT_OFFERED),
    (QuotaExceeded, State.QUOTA),
    (TransientError, State.UNAVAILABLE),
    (SyncError, State.FAILED),
)


@dataclass(frozen=True)
class ModelCheck:
    """What one model answered. ``model`` None: it holds for the whole CRM. ``records``: how many
    the first page showed; there may be more. ``message`` is empty where all is right."""

    crm_source: str
    model: str | None
    state: State
    records: int | None = None
    message: str = ""
    seconds: float = 0

    @property
    def is_right(self) -> bool:
        return self.state in RIGHT

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "seconds": round(self.seconds, 2), "is_right": self.is_right}


class _OutOfTime(SyncStopped):
    """The check has had its time."""


class _Deadline(SilentReporter):
    """Stops every wait that asks whether the run may go on."""

    def __init__(self, at: float) -> None:
        self._at = at

    def check(self) -> None:
        if time.monotonic() > self._at:
            raise _OutOfTime


def check_crms(
    names: Sequence[str], model: str | None = None, *, seconds: float = CRM_SECONDS
) -> list[ModelCheck]:
    """Checks of all models, or of one, of these CRMs, in their order; takes about ``seconds`` at
    most. Raises LookupError for a CRM or a model that there is not."""
    wanted = [
        (found, (found.model(model),) if model else found.models) for found in map(crm, names)
    ]
    checkups = [_Checkup(found, models, seconds=seconds) for found, models in wanted]
    for checkup in checkups:
        checkup.start()
    return [check for checkup in checkups for check in checkup.result()]


def check_all_crms(*, seconds: float = CRM_SECONDS) -> list[ModelCheck]:
    """The same for every CRM, but one of which nothing is configured is unused, not wrong."""
    used = [name for name, found in crms().items() if _is_used(found, crm_environment())]
    unused = [_unused(found) for name, found in crms().items() if name not in used]
    return [*check_crms(used, seconds=seconds), *unused]


def _is_used(found: Crm, environment: Mapping[str, str]) -> bool:
    """Whether one of the settings that make a CRM one's own is set."""
    return any(environment.get(s.name) for s in found.settings if s.secret or s.required)


def _unused(found: Crm) -> ModelCheck:
    needed = ", ".join(s.name for s in found.settings if s.secret or s.required)
    return ModelCheck(
        found.name, None, State.UNUSED, message=f"Unused until one of {needed} is set."
    )


class _Checkup:
    """The check of one CRM in a thread that is left behind where it hangs."""

    def __init__(self, found: Crm, models: tuple[Model, ...], *, seconds: float) -> None:
        self._crm = found
        self._models = models
        self._seconds = seconds
        self._checks: list[ModelCheck] = []
        self._is_complete = False
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"check {found.name}")

    def start(self) -> None:
        try:
            # Imports are made here: threads that import the same modules at once can trip over
            # half-imported ones.
            load_source(self._crm.name)
        except SyncError as problem:
            self._end_with(problem)
            return
        self._ends_at = time.monotonic() + self._seconds
        self._thread.start()

    def result(self) -> list[ModelCheck]:
        """What is known when the time is over."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, self._ends_at + CLOSING_SECONDS - time.monotonic()))
        is_complete, checks = self._is_complete, list(self._checks)
        return checks if is_complete else [*checks, self._overdue(len(checks))]

    def _run(self) -> None:
        try:
            self._ask_all()
        except _OutOfTime:
            return
        except SyncError as problem:
            self._end_with(problem)
        except Exception as fault:
            # A fault of one CRM's code must not hide what the others answer.
            logger.exception("the check of %s broke", self._crm.name)
            self._end(
                State.FAILED, f"The check broke with {type(fault).__name__}; the log says why."
            )
        self._is_complete = True

    def _ask_all(self) -> None:
        with closing(load_source(self._crm.name)(self._context())) as source:
            for model in self._models:
                check = self._ask(source, model)
                if self._is_of_the_crm(check):
                    return self._end(check.state, check.message)
                self._checks.append(check)
        return None

    def _context(self) -> SourceContext:
        """As for a sync, but for its patience."""
        context = source_context(self._crm.name, _Deadline(self._ends_at), Meter())
        seconds = min(REQUEST_SECONDS, context.timeout_seconds)
        return replace(context, timeout_seconds=seconds, max_attempts=1)

    def _ask(self, source: CrmSource, model: Model) -> ModelCheck:
        began = time.monotonic()
        try:
            records, state, message = _first_records(source, model), State.OK, ""
        except SyncError as problem:
            records, state, message = None, _state_of(problem), _told(problem)
        seconds = time.monotonic() - began
        return ModelCheck(self._crm.name, model.name, state, records, message, seconds)

    def _is_of_the_crm(self, check: ModelCheck) -> bool:
        """A CRM that has not answered once is not asked for its other models, either."""
        if check.state is State.UNAVAILABLE:
            return not any(c.state is State.OK for c in self._checks)
        return check.state in OF_THE_CRM

    def _end_with(self, problem: SyncError) -> None:
        self._end(_state_of(problem), _told(problem))
        self._is_complete = True

    def _end(self, state: State, message: str) -> None:
        self._checks.append(ModelCheck(self._crm.name, None, state, message=message))

    def _overdue(self, answered: int) -> ModelCheck:
        waiting = ", ".join(model.name for model in self._models[answered:])
        message = (
            f"{self._crm.title} gave no answer for {waiting} within {self._seconds:g} seconds."
        )
        return ModelCheck(self._crm.name, None, State.UNAVAILABLE, message=message)


def _first_records(source: CrmSource, model: Model) -> int:
    """How many records the first page shows."""
    adapted = source.adapted(model) if isinstance(source, AdaptsModels) else model
    source.columns(adapted)
    page = source.probe(adapted) if isinstance(source, Probes) else None
    if page is None:
        page = _first_page(source, adapted)
    return len(page.records)


def _first_page(source: CrmSource, model: Model) -> Page:
    pages = source.pages(model, Window(), batch_size=PAGE_RECORDS)
    with closing(pages) if isinstance(pages, Generator) else nullcontext():
        return next(pages, Page(()))


def _state_of(problem: SyncError) -> State:
    return next(state for kind, state in STATES if isinstance(problem, kind))


def _told(problem: SyncError) -> str:
    return mask_error(" ".join(str(problem).split()))
