"""Reads Five9's contacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.setting_values import positive_int, time_zone
from ingestion.sync.common.source import Columns, Model, Page, Record, SourceContext, Window
from ingestion.sync.five9.contacts import ContactWalk
from ingestion.sync.five9.division import Criteria
from ingestion.sync.five9.engines.admin import Contact, ContactField, Criterion, Five9Admin
from ingestion.sync.five9.fields import Formats, columns_of, readers_of, record_of
from ingestion.sync.five9.report import ChangeReport, Forms

LOOKED_UP_PAGE = 500  # records of single lookups that are passed on together
ALL_LISTS = "*"
NOBODY = "0000000000"


class Source:
    """Keeps the CrmSource and the AdaptsModels contract."""

    def __init__(self, context: SourceContext) -> None:
        settings = self._settings = context.settings
        self._formats = Formats(
            time_zone(settings, "FIVE9_TIME_ZONE"),
            settings["FIVE9_DATE_FORMAT"],
            settings["FIVE9_TIME_FORMAT"],
        )
        self._formats.check()
        self._walk_fields = _names(settings["FIVE9_WALK_FIELDS"])
        if not self._walk_fields:
            raise PermanentError("FIVE9_WALK_FIELDS is empty; name a contact field, e.g. number1.")
        self._record_limit = positive_int(settings, "FIVE9_RECORD_LIMIT")
        self._max_lookups = positive_int(settings, "FIVE9_MAX_LOOKUPS")
        self._admin = Five9Admin(context)
        self._report = ChangeReport.of(
            self._admin, settings, zone=self._formats.zone, numbers=self._walk_fields
        )

    def close(self) -> None:
        self._admin.close()

    def adapted(self, model: Model) -> Model:
        """Without a report every run reads everything, and so finds what was deleted."""
        return model if self._report else replace(model, incremental="full")

    def columns(self, model: Model) -> Columns:
        return columns_of(self._fields)

    def pages(self, model: Model, window: Window, *, batch_size: int | None) -> Iterator[Page]:
        readers = readers_of(self._fields, self._formats)
        walk = self._walk()
        for contacts in self._contacts(walk, window):
            records = [record_of(contact, readers) for contact in contacts]
            for page in _batches(self._within(window, records), batch_size):
                yield Page(page)
        if walk.unproven:
            yield Page((), unread="; ".join(walk.unproven))

    def probe(self, model: Model) -> Page | None:
        """What a lookup finds that finds hardly anything: no other gives less than 1 000."""
        nobody = Criterion(self._walk_fields[0], NOBODY)
        scope = next(iter(self._scopes()), ())
        found = self._admin.contacts((*scope, nobody))
        readers = readers_of(self._fields, self._formats)
        return Page([record_of(contact, readers) for contact in found])

    @cached_property
    def _fields(self) -> list[ContactField]:
        return self._admin.contact_fields()

    def _contacts(self, walk: ContactWalk, window: Window) -> Iterator[list[Contact]]:
        changed = self._changed(window)
        if changed is None or len(changed) > self._max_lookups:
            return walk.pages()
        return self._looked_up(walk, changed)

    def _changed(self, window: Window) -> list[Forms] | None:
        """None where all contacts have to be read."""
        if self._report is None or not isinstance(window.since, datetime):
            return None
        return self._report.changed(window.since, window.until or datetime.now(UTC))

    def _walk(self) -> ContactWalk:
        return ContactWalk(
            self._admin, self._walk_fields, self._record_limit, scopes=self._scopes()
        )

    def _looked_up(self, walk: ContactWalk, changed: Iterable[Forms]) -> Iterator[list[Contact]]:
        """Contact by contact. One that no form of its number finds was deleted meanwhile, or has its
        number in another form: only a read of all contacts shows it."""
        found, is_missed = list[Contact](), False
        for forms in changed:
            contacts = walk.found_by(forms)
            is_missed = is_missed or contacts is None
            found += contacts or []
            if len(found) >= LOOKED_UP_PAGE:
                yield found
                found = []
        yield found
        if is_missed:
            yield from walk.pages()

    def _scopes(self) -> list[Criteria]:
        names = _names(self._settings["FIVE9_LISTS"])
        if not names:
            return [()]
        field = self._field_that_maps("LastList")
        if field is None:
            raise PermanentError(
                "Five9 getContactFields: no contact field is mapped to LastList, by which"
                " FIVE9_LISTS chooses; map one in Five9, or empty the setting."
            )
        wanted = self._admin.list_names() if names == [ALL_LISTS] else names
        return [(Criterion(field, name),) for name in wanted]

    def _within(self, window: Window, records: list[Record]) -> list[Record]:
        """Leaves out what was last changed outside of a window that was asked for by date, where
        the domain keeps that time. Whom a report names has changed, whatever the field says."""
        field = self._field_that_maps("LastModifiedDateTime")
        if self._is_reported(window) or field is None:
            return records
        return [r for r in records if _is_within(window, r.get(field))]

    def _is_reported(self, window: Window) -> bool:
        return self._report is not None and window.since is not None

    def _field_that_maps(self, what: str) -> str | None:
        return next((f.name for f in self._fields if f.maps == what), None)


def _is_within(window: Window, moment: object) -> bool:
    if not isinstance(moment, datetime):
        return True
    is_after = not isinstance(window.since, datetime) or moment >= window.since
    return is_after and (window.until is None or moment <= window.until)


def _batches(records: list[Record], size: int | None) -> Iterator[list[Record]]:
    """At least one: a lookup that finds nothing new is progress too."""
    step = size or len(records) or 1
    for start in range(0, len(records) or 1, step):
        yield records[start : start + step]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
