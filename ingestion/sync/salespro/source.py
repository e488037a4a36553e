"""Reads SalesPro from the back end that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.setting_values import time_zone
from ingestion.sync.common.source import Columns, Model, Page, SourceContext, Window
from ingestion.sync.salespro import settings as names
from ingestion.sync.salespro.athena import USERS, USERS_KEY, AthenaBackend
from ingestion.sync.salespro.leap import LeapBackend
from ingestion.sync.salespro.settings import LeapModel
from ingestion.sync.salespro.times import with_zone

# Rows reach a lake in batches, hours after they were changed.
OVERLAP_SECONDS = 86_400.0


def Source(context: SourceContext) -> LeapSource | AthenaSource:  # noqa: N802 - the registry's name
    """Keeps the CrmSource contract for SalesPro, whichever back end is set."""
    backend = context.settings[names.BACKEND]
    if backend == names.LEAP:
        return LeapSource(context)
    if backend == names.ATHENA:
        return AthenaSource(context)
    raise PermanentError(f"{names.BACKEND} is {backend!r}; it must be leap or athena.")


class LeapSource:
    """SalesPro by Leap's REST API."""

    def __init__(self, context: SourceContext) -> None:
        self._zone = time_zone(context.settings, names.TIME_ZONE)
        self._leap = LeapBackend(context)

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        leap = cast(LeapModel, model)
        for page in self._leap.pages(leap, window, batch_size=batch_size):
            yield replace(page, records=with_zone(page.records, model.columns, self._zone))

    def close(self) -> None:
        self._leap.close()


class AthenaSource:
    """SalesPro by its data lake."""

    stays_in_thread = True

    def __init__(self, context: SourceContext) -> None:
        self._zone = time_zone(context.settings, names.TIME_ZONE)
        self._athena = AthenaBackend(context, self._zone)

    def adapted(self, model: Model) -> Model:
        """The lake has its own keys and columns; all its tables can be filtered by change."""
        if model.name == "users":
            return replace(model, key=USERS_KEY, columns=USERS)
        table = self._athena.table(model.name)
        return replace(
            model,
            key=table.key,
            columns=table.columns,
            cursor="updated_at",
            incremental="cursor",
            overlap_seconds=OVERLAP_SECONDS,
        )

    def columns(self, model: Model) -> Columns:
        return model.columns

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        if model.name == "users":
            yield Page(self._athena.users())
            return
        for rows in self._athena.pages(model.name, window, batch_size=batch_size):
            yield Page(with_zone(rows, model.columns, self._zone))

    def probe(self, model: Model) -> Page | None:
        """Without an order: sorting makes Athena read the whole table, and that is paid for."""
        if model.name == "users":
            return None
        rows = self._athena.first_rows(model.name)
        return Page(with_zone(rows, model.columns, self._zone))

    def close(self) -> None:
        self._athena.close()
