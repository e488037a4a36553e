"""Associations: which records belong together, and how."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import groupby, islice

from ingestion.sync.common.source import Columns, Page, Record, Scope
from ingestion.sync.hubspot.api import ASSOCIATION_INPUTS, HubspotApi, Target
from ingestion.sync.hubspot.objects import Objects, Span
from ingestion.sync.hubspot.settings import CRM, PAIRS, HubspotModel, Pair

COLUMNS: Columns = {
    "from_type": "text",
    "from_id": "text",
    "to_type": "text",
    "to_id": "text",
    "category": "text",
    "type_id": "bigint",
    "label": "text",
}
PROBED = 5
FROM_SIDE = ("from_type", "to_type", "from_id")
TO_SIDE = ("from_type", "to_type", "to_id")


def association_pages(api: HubspotApi, span: Span) -> Iterator[Page]:
    """Full: of every record. Else of the records that changed, and nothing for the records that
    were archived: HubSpot drops an archived record's associations, on both sides."""
    for from_type, pairs in groupby(PAIRS, key=lambda pair: pair.from_type):
        yield from _pages_from(api, from_type, tuple(pairs), span)
    if not span.is_full:
        yield from _archived_pages(api, span)


def probe(api: HubspotApi) -> Page:
    """Associations of the first records of each type."""
    records: list[Record] = []
    for from_type, pairs in groupby(PAIRS, key=lambda pair: pair.from_type):
        living = _objects(api, from_type).living(Span(None, None), batch_size=PROBED)
        ids = list(_ids([next(living, [])]))
        for pair in pairs:
            found = api.associations(pair.from_type, pair.to_type, ids)
            records += [_record(pair, from_id, target) for from_id, target in found]
    return Page(records)


def _pages_from(
    api: HubspotApi, from_type: str, pairs: tuple[Pair, ...], span: Span
) -> Iterator[Page]:
    batches = _batches(_ids(_objects(api, from_type).living(span)), ASSOCIATION_INPUTS)
    calls = (partial(_page_of, api, pair, ids) for ids in batches for pair in pairs)
    with closing(api.several(calls)) as pages:
        yield from pages


def _page_of(api: HubspotApi, pair: Pair, ids: list[str]) -> Page:
    targets = api.associations(pair.from_type, pair.to_type, ids)
    records = [_record(pair, from_id, target) for from_id, target in targets]
    return Page(records, scope=_scope(pair, FROM_SIDE, ids))


def _archived_pages(api: HubspotApi, span: Span) -> Iterator[Page]:
    """Pages without records: whatever the warehouse has for these owners is gone."""
    types = dict.fromkeys(kind for pair in PAIRS for kind in (pair.from_type, pair.to_type))
    for kind in types:
        archived = _ids(_objects(api, kind).archived(span))
        for ids in _batches(archived, ASSOCIATION_INPUTS):
            for pair in PAIRS:
                if pair.from_type == kind:
                    yield Page((), scope=_scope(pair, FROM_SIDE, ids))
                if pair.to_type == kind:
                    yield Page((), scope=_scope(pair, TO_SIDE, ids))


def _objects(api: HubspotApi, object_type: str) -> Objects:
    model = CRM.model(object_type)
    assert isinstance(model, HubspotModel)
    return Objects(api, model, ["hs_object_id"])


def _ids(pages: Iterable[list[dict[str, object]]]) -> Iterator[str]:
    return (str(found["id"]) for page in pages for found in page)


def _batches(ids: Iterator[str], size: int) -> Iterator[list[str]]:
    while batch := list(islice(ids, size)):
        yield batch


def _scope(pair: Pair, columns: tuple[str, ...], ids: Iterable[str]) -> Scope:
    return Scope(columns, frozenset((pair.from_type, pair.to_type, record_id) for record_id in ids))


def _record(pair: Pair, from_id: str, target: Target) -> Record:
    return {
        "from_type": pair.from_type,
        "from_id": from_id,
        "to_type": pair.to_type,
        "to_id": target.to_id,
        "category": target.category,
        "type_id": target.type_id,
        "label": target.label,
    }
