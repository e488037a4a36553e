"""Reads HubSpot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingestion.sync.common.source import Columns, Model, Page, SourceContext, Window
from ingestion.sync.http.errors import documented_shape
from ingestion.sync.hubspot import associations
from ingestion.sync.hubspot.api import HubspotApi, Object
from ingestion.sync.hubspot.objects import Objects, Span
from ingestion.sync.hubspot.properties import Choice
from ingestion.sync.hubspot.settings import HubspotModel, properties_setting
from ingestion.sync.hubspot.values import Property, archived_at, columns_of, merged_into, record_of

OWNER_COLUMNS: Columns = {
    "id": "text",
    "email": "text",
    "type": "text",
    "firstName": "text",
    "lastName": "text",
    "userId": "bigint",
    "userIdIncludingInactive": "bigint",
    "createdAt": "timestamp",
    "updatedAt": "timestamp",
    "archived": "bool",
    "teams": "json",
}


class Source:
    """Keeps the CrmSource contract."""

    def __init__(self, context: SourceContext) -> None:
        self._api = HubspotApi(context)
        self._settings = context.settings
        self._properties: dict[str, list[Property]] = {}

    def close(self) -> None:
        self._api.close()

    def adapted(self, model: Model) -> Model:
        """Whether a property becomes a column before it has a value is a setting."""
        own = _hubspot(model)
        if own.reads != "objects":
            return model
        return replace(own, only_filled=self._choice(own).only_filled)

    def columns(self, model: Model) -> Columns:
        with documented_shape(f"HubSpot {model.name}"):
            return self._columns(_hubspot(model))

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        with documented_shape(f"HubSpot {model.name}"):
            yield from self._pages(_hubspot(model), Span.of(window), batch_size)

    def probe(self, model: Model) -> Page | None:
        """Associations: a page of theirs comes after a thousand records."""
        with documented_shape(f"HubSpot {model.name}"):
            reads = _hubspot(model).reads
            return associations.probe(self._api) if reads == "associations" else None

    def _columns(self, own: HubspotModel) -> Columns:
        match own.reads:
            case "objects":
                return columns_of(self._properties_of(own))
            case "owners":
                return OWNER_COLUMNS
            case "associations":
                return associations.COLUMNS

    def _pages(self, own: HubspotModel, span: Span, batch_size: int | None) -> Iterator[Page]:
        match own.reads:
            case "objects":
                return self._object_pages(own, span, batch_size)
            case "owners":
                return self._owner_pages(span)
            case "associations":
                return associations.association_pages(self._api, span)

    def _object_pages(
        self, model: HubspotModel, span: Span, batch_size: int | None
    ) -> Iterator[Page]:
        """The living first: what is archived meanwhile comes twice, and the later one counts."""
        properties = self._properties_of(model)
        objects = Objects(self._api, model, [p.name for p in properties])
        for page in objects.living(span, batch_size=batch_size):
            yield _page(page, properties)
        for page in objects.archived(span):
            yield Page([record_of(found, properties) for found in page])

    def _owner_pages(self, span: Span) -> Iterator[Page]:
        """All of them, and of a window asked for by date those that it holds."""
        for is_archived in (False, True):
            for page in self._api.owners(archived=is_archived):
                yield Page([_owner(found) for found in page if _is_within(span, found)])

    def _properties_of(self, model: HubspotModel) -> list[Property]:
        """Those that are read; asked for once in a run."""
        kind = model.object_type
        if kind not in self._properties:
            found = self._api.properties(kind)
            self._properties[kind] = self._choice(model).chosen(found, model.cursor)
        return self._properties[kind]

    def _choice(self, model: HubspotModel) -> Choice:
        return Choice.of(self._settings[properties_setting(model.name)])


def _owner(found: Object) -> Object:
    """An archived owner is a deactivated user; records may still name it."""
    return {**found, "_deleted_at": archived_at(found)} if found.get("archived") else found


def _page(page: Sequence[Object], properties: Sequence[Property]) -> Page:
    """The objects, and those that were merged into them: no list has these any more."""
    records = [record_of(found, properties) for found in page]
    lost = [(i, archived_at(found)) for found in page for i in merged_into(found)]
    gone = [{"id": i, "_deleted_at": at} for i, at in lost]
    return Page([*records, *gone], merged=frozenset(i for i, _ in lost))


def _is_within(span: Span, owner: Object) -> bool:
    return span.is_full or span.holds(archived_at(owner))


def _hubspot(model: Model) -> HubspotModel:
    assert isinstance(model, HubspotModel)
    return model
