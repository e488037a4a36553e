"""Reads MarketSharp's entity sets, page by page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.setting_values import positive_int, time_zone
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.http.client import HttpApi, HttpClient
from ingestion.sync.marketsharp import odata
from ingestion.sync.marketsharp import settings as names
from ingestion.sync.marketsharp.odata import Entities
from ingestion.sync.marketsharp.settings import EntityModel
from ingestion.sync.marketsharp.signature import SignedAuth

# Pages overlap: a row deleted before them would move all others up by one, and one would be missed.
OVERLAP_ROWS = 10
MIN_PAGE_SIZE = 2 * OVERLAP_ROWS


class Source:
    """Keeps the CrmSource contract for MarketSharp."""

    def __init__(self, context: SourceContext) -> None:
        self._settings = context.settings
        self._zone = time_zone(context.settings, names.TIME_ZONE)
        self._http = HttpClient(_api(context.settings), context)

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        entity = cast(EntityModel, model)
        wanted = min(batch_size or 5000, positive_int(self._settings, names.PAGE_SIZE))
        size = max(wanted, MIN_PAGE_SIZE)  # a smaller page would be all overlap
        times = {name for name, kind in model.columns.items() if kind == "timestamp"}
        for rows in self._read(entity, self._query(entity, window), size):
            yield Page([self._landed(row, times) for row in rows])

    def close(self) -> None:
        self._http.close()

    def _read(
        self, model: EntityModel, query: Mapping[str, Any], size: int
    ) -> Iterator[list[Record]]:
        """By ``$skip``, or by the service's own link to the next page where it gives one."""
        seen: set[Any] = set()
        found = self._page(model, {**query, "$top": size, "$skip": 0})
        while True:
            keys = [row.get(model.key[0]) for row in found.rows]
            new = [row for row, key in zip(found.rows, keys, strict=True) if key not in seen]
            yield new
            if found.next_url:
                self._refuse_repeat(model, bool(new))
                seen.update(keys)
                found = self._http.get(found.next_url).data
                continue
            if len(found.rows) < size:
                return
            self._refuse_repeat(model, bool(new))
            seen.update(keys)
            skip = max(len(seen) - OVERLAP_ROWS, 1)
            found = self._page(model, {**query, "$top": size, "$skip": skip})
            self._refuse_gap(model, found, seen)

    def _page(self, model: EntityModel, query: Mapping[str, Any]) -> Entities:
        found: Entities = self._http.get(f"/{model.entity_set}", query).data
        return found

    def _query(self, model: EntityModel, window: Window) -> dict[str, str]:
        order = f"{model.cursor},{model.key[0]}" if model.cursor else model.key[0]
        conditions = [
            f"{model.cursor} {operator} {odata.filter_moment(bound, self._zone)}"
            for operator, bound in (("ge", window.since), ("le", window.until))
            if model.cursor and isinstance(bound, datetime)
        ]
        if conditions and window.until is None:  # nothing else would ever show a row without a time
            conditions = [f"{conditions[0]} or {model.cursor} eq null"]
        filters = {"$filter": " and ".join(conditions)} if conditions else {}
        return {"$orderby": order, **filters}

    def _landed(self, row: Record, times: set[str]) -> Record:
        return {
            name: odata.moment(value, self._zone) if name in times or _is_wcf(value) else value
            for name, value in row.items()
        }

    @staticmethod
    def _refuse_repeat(model: EntityModel, has_new: bool) -> None:
        if not has_new:
            raise PermanentError(
                f"MarketSharp GET /{model.entity_set} sends the same page again, so paging would "
                "never end: it seems to ignore $skip."
            )

    @staticmethod
    def _refuse_gap(model: EntityModel, found: Entities, seen: set[Any]) -> None:
        if found.rows and found.rows[0].get(model.key[0]) not in seen:
            raise TransientError(
                f"MarketSharp GET /{model.entity_set} lost many rows while it was read, so some "
                "may have been missed; try again later."
            )


def _is_wcf(value: Any) -> bool:
    return isinstance(value, str) and bool(odata.WCF_DATE.match(value))


def _api(settings: Mapping[str, str]) -> HttpApi:
    return HttpApi(
        title="MarketSharp",
        base_url=settings[names.BASE_URL].rstrip("/"),
        auth=SignedAuth(settings),
        rates=(Rate("marketsharp", positive_int(settings, names.REQUESTS_PER_MINUTE), 60),),
        credentials=(names.COMPANY_ID, names.USER_KEY, names.SECRET_KEY),
        secrets=(settings[names.USER_KEY], settings[names.SECRET_KEY]),
        parse=odata.entities_of,
    )
