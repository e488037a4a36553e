"""The data: every dataset, and one with its rows, columns and what was rejected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from ingestion.conf import data_conf
from ingestion.pool.errors import PoolError
from ingestion.services.crms.crm_overview import overview
from ingestion.services.crms.dataset_columns import dataset_columns
from ingestion.services.data import catalog, rows
from ingestion.services.data import changes as changed
from ingestion.services.data.errors import UnknownDataset
from ingestion.services.data.rows import Question
from ingestion.services.data.sql import box
from ingestion.services.infra.cursor import InvalidCursor
from ingestion.services.runs import held
from ingestion.services.security.access import Right, may
from ingestion.sync.common.registry import crms
from ingestion.views.access import page
from ingestion.views.data.forms import RowsFilter

SHOWN_ROWS, SHOWN_COLUMNS = 25, 10


@page(Right.VIEW)
def datasets(request: HttpRequest) -> HttpResponse:
    """Every dataset, those of one CRM when the address names it."""
    wanted = request.GET.get("crm_source", "")
    found = catalog.catalog(wanted if wanted in crms() else None)
    context = {"datasets": found, "crms": crms(), "wanted": wanted}
    return render(request, "ingestion/data/datasets.html", context)


@page(Right.VIEW)
def dataset(request: HttpRequest, name: str, model: str) -> HttpResponse:
    """One model's table: its rows, its columns, the fields that feed them, what was rejected, and
    deletions that were held back; the rows alone for the page's own script."""
    try:
        mapped = dataset_columns(name, model)
    except LookupError as problem:
        raise Http404("There is no such model.") from problem
    asked = _rows(request, name, model)
    if request.headers.get("HX-Request"):
        return render(request, "ingestion/data/rows.html", asked)
    context = {
        **asked,
        "changes": _changes(name, model, personal=may(request.user, Right.PERSONAL)),
        "dataset": mapped,
        "title": overview(name).title,
        "held": held.of_dataset(name, model),
        "sees_personal": may(request.user, Right.PERSONAL),
        "figures": {c["name"]: c for c in (asked["facts"] or {}).get("columns", ())},
    }
    return render(request, "ingestion/dataset.html", context)


@page(Right.QUERY)
def sql_box(request: HttpRequest) -> HttpResponse:
    """Where questions are written; the page's script asks the API."""
    conf = data_conf()
    context = {
        "crms": crms(),
        "wanted": request.GET.get("crm_source", ""),
        "is_there": box.is_there(),
        "seconds": conf.sql_seconds,
        "most_rows": conf.sql_rows,
        "sees_personal": may(request.user, Right.PERSONAL),
    }
    return render(request, "ingestion/data/sql.html", context)


def _changes(name: str, model: str, *, personal: bool) -> list[dict[str, Any]]:
    """None where they cannot be read: the rows say why."""
    try:
        return changed.changes(name, model, personal=personal)
    except PoolError:
        return []


def _rows(request: HttpRequest, name: str, model: str) -> dict[str, Any]:
    """The table as far as it can be read; ``trouble`` says what is wrong with the question."""
    personal = may(request.user, Right.PERSONAL)
    try:
        facts = catalog.dataset(name, model)
    except UnknownDataset:
        return {"facts": None}
    except PoolError as problem:
        return {"facts": None, "trouble": str(problem)}
    unmasked = [c["name"] for c in facts["columns"] if personal or c["mask"] == "none"]
    form = RowsFilter(request.GET or None, columns=unmasked)
    try:
        found = _found(request, Question(name, model, limit=SHOWN_ROWS, personal=personal), form)
    except PoolError as problem:
        return {"facts": facts, "form": form, "trouble": str(problem)}
    shown = _shown(request, facts, found)
    context = {"facts": facts, "form": form, "found": found, "shown": shown}
    return {**context, **_links(request, found)}


def _found(request: HttpRequest, question: Question, form: RowsFilter) -> rows.Rows:
    if not form.is_valid():
        return rows.rows(question)
    sort = form.cleaned_data["sort"]
    asked = Question(
        question.crm_source,
        question.model,
        form.filters,
        sort.removeprefix("-"),
        sort.startswith("-"),
        form.cleaned_data["deleted"] or "no",
        request.GET.get("cursor", ""),
        question.limit,
        question.personal,
    )
    try:
        return rows.rows(asked)
    except InvalidCursor:  # as after a change of the filter by hand
        return rows.rows(question)


def _shown(request: HttpRequest, facts: Mapping[str, Any], found: rows.Rows) -> list[str]:
    """All columns where that is asked for; else the key and the first ones that have values to see."""
    if request.GET.get("columns") == "all":
        return list(found.types)
    telling = [
        c["name"]
        for c in facts["columns"]
        if c["name"] not in found.masked and not c["name"].startswith("_") and c["filled"] != 0
    ]
    chosen = set(facts["key"]) | set(telling[:SHOWN_COLUMNS])
    return [name for name in found.types if name in chosen]


def _links(request: HttpRequest, found: rows.Rows) -> dict[str, str]:
    asked = {k: v for k, v in request.GET.dict().items() if k != "cursor"}
    further = {**asked, "cursor": found.next_cursor} if found.next_cursor else None
    return {
        "next": urlencode(further) if further else "",
        "all_columns": urlencode({**asked, "columns": "all"}),
    }
