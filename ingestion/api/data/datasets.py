"""What the warehouse holds: datasets, their columns and their rows."""

from __future__ import annotations

from typing import Annotated, Literal

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router
from pydantic import BaseModel

from ingestion.api.http.requests import Name, Text
from ingestion.api.http.responses import ResponseBody, Time, documented, one_of, respond
from ingestion.api.http.security import caller, needs
from ingestion.services.data import catalog, rows
from ingestion.services.data import changes as changed
from ingestion.services.data.errors import InvalidQuestion
from ingestion.services.data.masking import Mask
from ingestion.services.data.rows import MOST_ROWS, OPERATORS, Filter, Question
from ingestion.services.freshness.datasets import Freshness
from ingestion.services.security.access import Right

router = Router(tags=["data"])
VIEW = needs(Right.VIEW)

CrmName = Annotated[str, Path(max_length=50)]
ModelName = Annotated[str, Path(max_length=100)]
MOST_FILTERS = 10


class DatasetEntry(ResponseBody):
    """One model's table. Counts are of the last load that was counted; null before."""

    crm_source: str
    crm_title: str
    model: str
    table: str
    freshness: Annotated[str, one_of(Freshness)]
    last_success_at: Time | None
    last_run_at: Time | None
    due_at: Time | None
    late_since: Time | None
    rows: int | None
    """Without those that are marked as deleted."""
    deleted_rows: int | None
    size_bytes: int | None
    """With its indexes; null where the warehouse cannot say."""
    counted_at: Time | None


class DatasetColumn(ResponseBody):
    """``field``: of the CRM; null for what the load itself writes. ``filled``: a share of the rows
    that were looked at, ``distinct``: how many different values they have; null: not counted."""

    name: str
    type: str
    field: str | None
    comment: str
    is_key: bool
    mask: Annotated[str, one_of(Mask)]
    filled: float | None
    distinct: int | None


class DatasetDetails(DatasetEntry):
    """``sampled_rows``: how many rows the figures of the columns are of."""

    key: list[str]
    sampled_rows: int | None
    columns: list[DatasetColumn]


class DatasetPage(ResponseBody):
    items: list[DatasetEntry]


class RowColumn(ResponseBody):
    """``mask``: why its values are null for this caller."""

    name: str
    type: str
    mask: Annotated[str, one_of(Mask)]


class RowPage(ResponseBody):
    """Rows by column name. Decimals, times and JSON are text; texts are cut after 500 characters.
    ``next_cursor``: null at the end, and where the key itself is masked."""

    crm_source: str
    model: str
    columns: list[RowColumn]
    rows: list[dict[str, object]]
    has_more: bool
    next_cursor: str | None


class ChangeExample(ResponseBody):
    """``values``: by column, as ``RowPage`` has them."""

    is_deleted: bool
    values: dict[str, object]


class RunChanges(ResponseBody):
    """What one run did. ``run_id`` is the rows' ``_run_id``, ``history_id`` the run's in the history.
    ``examples``: rows that no later run has written."""

    history_id: int
    run_id: str
    ended_at: Time
    created: int
    updated: int
    deleted: int
    examples: list[ChangeExample]


class ChangeList(ResponseBody):
    items: list[RunChanges]


class RowsQuery(BaseModel):
    """``filter``: ``column:operator:value``, several times; operators are eq, ne, lt, ge, contains,
    empty and filled. ``sort``: a column, with a minus before it from the highest; without it by the
    key."""

    filter: list[Text] = []
    sort: Name = ""
    deleted: Literal["no", "yes", "all"] = "no"
    cursor: Annotated[str, Query(max_length=4000)] = ""
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 50

    def question(self, crm_source: str, model: str, *, personal: bool) -> Question:
        """Raises InvalidQuestion."""
        if len(self.filter) > MOST_FILTERS:
            raise InvalidQuestion(f"At most {MOST_FILTERS} filters.")
        return Question(
            crm_source,
            model,
            tuple(parsed(text) for text in self.filter),
            self.sort.removeprefix("-"),
            self.sort.startswith("-"),
            self.deleted,
            self.cursor,
            self.limit,
            personal,
        )


def parsed(text: str) -> Filter:
    """``column:operator:value``. Raises InvalidQuestion."""
    column, _, rest = text.partition(":")
    operator, _, value = rest.partition(":")
    if operator not in OPERATORS:
        raise InvalidQuestion(f"{text[:60]!r} is no filter: write column:operator:value.")
    return Filter(column, operator, value)


@router.get("/data", operation_id="data_list", response=documented(DatasetPage), auth=VIEW)
def datasets(request: HttpRequest, crm_source: Name = "") -> HttpResponse:
    """Every dataset with its table, rows, size, last load and freshness."""
    return respond({"items": catalog.catalog(crm_source or None)})


@router.get(
    "/data/{crm_source}/{model}",
    operation_id="data_get",
    response=documented(DatasetDetails, 404),
    auth=VIEW,
)
def one(request: HttpRequest, crm_source: CrmName, model: ModelName) -> HttpResponse:
    """One dataset with its columns: types, fields of the CRM, and how far they are filled."""
    return respond(catalog.dataset(crm_source, model))


@router.get(
    "/data/{crm_source}/{model}/rows",
    operation_id="data_rows",
    response=documented(RowPage, 404),
    auth=VIEW,
)
def some_rows(
    request: HttpRequest, crm_source: CrmName, model: ModelName, query: Query[RowsQuery]
) -> HttpResponse:
    """Its rows, filtered and sorted. Personal data is null without the right to see it."""
    personal = Right.PERSONAL in caller(request).rights
    return respond(rows.rows(query.question(crm_source, model, personal=personal)).to_dict())


@router.get(
    "/data/{crm_source}/{model}/changes",
    operation_id="data_changes",
    response=documented(ChangeList, 404),
    auth=VIEW,
)
def changes(request: HttpRequest, crm_source: CrmName, model: ModelName) -> HttpResponse:
    """What the last runs created, updated and deleted, with a few rows of each."""
    personal = Right.PERSONAL in caller(request).rights
    return respond({"items": changed.changes(crm_source, model, personal=personal)})
