"""How fresh the datasets of the warehouse are, and how fresh they must be."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Router
from pydantic import Field

from ingestion.api.http.errors import NotFound
from ingestion.api.http.requests import Key, ReasonBody, perform
from ingestion.api.http.responses import ResponseBody, Time, cached, documented, one_of, shared
from ingestion.api.http.security import needs
from ingestion.api.schemas.promises import Promise
from ingestion.api.schemas.runs import RunStatus
from ingestion.pool.change import ChangeRequest
from ingestion.services.freshness import bounds
from ingestion.services.freshness import datasets as found
from ingestion.services.runs import held
from ingestion.services.security.access import Right
from ingestion.services.worker_pool import get_worker_pool

router = Router(tags=["datasets"])
VIEW, OPERATE, CONFIGURE = (needs(r) for r in (Right.VIEW, Right.OPERATE, Right.CONFIGURE))

CrmName = Annotated[str, Path(max_length=50)]
ModelName = Annotated[str, Path(max_length=100)]
BoundSeconds = Annotated[
    float,
    Field(
        ge=bounds.SHORTEST_SECONDS,
        le=bounds.LONGEST_SECONDS,
        allow_inf_nan=False,
        strict=True,
    ),
]


class FreshnessCounts(ResponseBody):
    """``aging``: due now. ``stale``: late, the promise is broken. ``never``: the first load is not
    due yet."""

    fresh: int
    aging: int
    stale: int
    never: int
    no_promise: int


class Dataset(ResponseBody):
    """One model's table; null where it was never loaded, or nothing is promised of it."""

    crm_source: str
    crm_title: str
    model: str
    freshness: Annotated[str, one_of(found.Freshness)]
    last_success_at: Time | None
    last_rows: int | None
    last_status: RunStatus | None
    last_run_at: Time | None
    usual_interval_seconds: float | None
    """Between two successes; null before there are three."""
    promise: Promise | None
    due_at: Time | None
    """By when the next load is promised to have ended."""
    late_since: Time | None
    """When the promise was broken; null while it is kept."""


class LateReason(ResponseBody):
    """``code``: paused, failed, under_way, no_schedule, switched_off, not_started."""

    code: str
    sentence: str
    history_id: int | None
    """The run to look at."""


class LateDataset(Dataset):
    reasons: list[LateReason]


class DatasetList(ResponseBody):
    """Every dataset, in the order of the CRMs and their tables."""

    schema_version: Literal[1] = Field(alias="schema")
    taken_at: Time
    counts: FreshnessCounts
    promised_count: int
    late: list[LateDataset]
    """Those whose promise is broken, the longest broken first."""
    datasets: list[Dataset]


class NewBound(ReasonBody):
    """``max_age_seconds`` null: the schedules decide again."""

    max_age_seconds: BoundSeconds | None


class BoundAnswer(ResponseBody):
    crm_source: str
    model: str
    max_age_seconds: float | None


class HeldDeletions(ResponseBody):
    """Records that are not in the CRM any more, ``count`` of ``living`` ones, and that runs have not
    marked as deleted, because they are many. ``decision``: accepted or dismissed, for
    ``decided_count`` of them; empty: nobody has decided."""

    crm_source: str
    model: str
    count: int
    living: int
    held_at: Time
    decision: Annotated[str, one_of(("", "accepted", "dismissed"))]
    decided_count: int
    decided_by: str


@router.get(
    "/datasets",
    operation_id="datasets_list",
    response=cached(DatasetList),
    by_alias=True,
    auth=VIEW,
)
def datasets(request: HttpRequest) -> HttpResponse:
    """How fresh every dataset of the warehouse is, and which promises are broken, why and since
    when."""
    return shared(request, found.freshness())


@router.put(
    "/datasets/{crm_source}/{model}/freshness",
    operation_id="datasets_set_freshness",
    response=documented(BoundAnswer, 404, 409),
    auth=CONFIGURE,
)
def set_freshness(
    request: HttpRequest, crm_source: CrmName, model: ModelName, body: NewBound, key: Key = None
) -> HttpResponse:
    """Declare how old a dataset may be at most; it stands before what its schedules promise."""

    def action() -> dict[str, Any]:
        try:
            bounds.set_bound(crm_source, model, body.max_age_seconds, change=body.change(request))
        except bounds.DatasetNotFound as problem:
            raise NotFound(str(problem)) from problem
        return {
            "crm_source": crm_source,
            "model": model,
            "max_age_seconds": body.max_age_seconds,
        }

    return perform(request, key, action)


@router.post(
    "/datasets/{crm_source}/{model}/deletions/accept",
    operation_id="datasets_accept_deletions",
    response=documented(HeldDeletions, 404, 409),
    auth=OPERATE,
)
def accept_deletions(
    request: HttpRequest, crm_source: CrmName, model: ModelName, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Mark as deleted what runs have held back; a full run, which is put into the queue, does it, if
    it finds no more of them."""

    def action() -> dict[str, Any]:
        change = body.change(request)
        decided = _decided(crm_source, model, "accepted", change)
        get_worker_pool().submit(held.full_run(crm_source, model, change=change))
        return decided

    return perform(request, key, action)


@router.post(
    "/datasets/{crm_source}/{model}/deletions/dismiss",
    operation_id="datasets_dismiss_deletions",
    response=documented(HeldDeletions, 404, 409),
    auth=OPERATE,
)
def dismiss_deletions(
    request: HttpRequest, crm_source: CrmName, model: ModelName, body: ReasonBody, key: Key = None
) -> HttpResponse:
    """Leave in the warehouse what runs have held back; they are partial because of it no more, until
    there are more of them."""
    return perform(
        request, key, lambda: _decided(crm_source, model, "dismissed", body.change(request))
    )


def _decided(crm_source: str, model: str, decision: str, change: ChangeRequest) -> dict[str, Any]:
    try:
        return held.to_dict(held.decide(crm_source, model, decision, change=change))
    except held.NothingHeld as problem:
        raise NotFound(str(problem)) from problem
