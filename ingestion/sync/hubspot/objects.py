"""Which CRM objects a run has to read: all, those that changed, those that were archived."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Watermark, Window
from ingestion.sync.hubspot.api import LIST_LIMIT, SEARCH_LIMIT, Filter, HubspotApi, Object
from ingestion.sync.hubspot.settings import HubspotModel
from ingestion.sync.hubspot.values import archived_at, epoch_ms


@dataclass(frozen=True)
class Span:
    """A window in time, both ends inclusive; None is open."""

    since: datetime | None
    until: datetime | None

    @classmethod
    def of(cls, window: Window) -> Span:
        """Raises PermanentError for a watermark that is no time."""
        return cls(None if window.since is None else _moment(window.since), window.until)

    @property
    def is_full(self) -> bool:
        return self.since is None and self.until is None

    def holds(self, at: datetime) -> bool:
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)

    def filters(self, cursor: str) -> list[Filter]:
        """Search filters; HubSpot takes times as epoch milliseconds in a string."""
        ends = (("GTE", self.since), ("LTE", self.until))
        return [
            {"propertyName": cursor, "operator": operator, "value": str(epoch_ms(at))}
            for operator, at in ends
            if at is not None
        ]


class Objects:
    """Reads the objects of one type; ``names`` are the properties wanted."""

    def __init__(self, api: HubspotApi, model: HubspotModel, names: Sequence[str]) -> None:
        self._api = api
        self._model = model
        self._names = names

    def living(self, span: Span, *, batch_size: int | None = None) -> Iterator[list[Object]]:
        """Those that are not archived. A list has no cap but no filter, a search has a filter."""
        kind, cursor = self._model.object_type, self._model.cursor
        if span.is_full or cursor is None:
            limit = min(batch_size or LIST_LIMIT, LIST_LIMIT)
            return self._api.list_pages(kind, self._names, archived=False, limit=limit)
        limit = min(batch_size or SEARCH_LIMIT, SEARCH_LIMIT)
        return self._api.search_pages(kind, self._names, span.filters(cursor), limit=limit)

    def archived(self, span: Span) -> Iterator[list[Object]]:
        """Those archived within ``span``. The API cannot filter them: the whole list is read."""
        kind = self._model.object_type
        for page in self._api.list_pages(kind, self._names, archived=True):
            yield page if span.is_full else [o for o in page if span.holds(archived_at(o))]


def _moment(since: Watermark) -> datetime:
    try:
        at = since if isinstance(since, datetime) else datetime.fromisoformat(str(since))
    except ValueError:
        raise PermanentError(
            f"HubSpot cannot read from {since!r} on: the watermark must be a time; run with --full."
        ) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
