"""Which contacts changed, as a report of the domain tells it.

The report only says whom to look up: its values have formats and a zone of their own, and need
not be all. Its time range is the only filter by time that Five9 has.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from time import monotonic

from ingestion.sync.common.errors import PermanentError, TransientError
from ingestion.sync.common.setting_values import positive_int
from ingestion.sync.five9.division import NUMBER_FIELDS
from ingestion.sync.five9.engines.admin import Criterion, Five9Admin, ReportResult

FIRST_PACE_SECONDS, LONGEST_PACE_SECONDS = 0.5, 5.0
# A shorter range is not divided: so many contacts are not changed in a second.
SHORTEST_RANGE = timedelta(seconds=2)


# Ways to look up one contact: those after the first, where it finds none.
Forms = tuple[Criterion, ...]


@dataclass(frozen=True)
class ChangeReport:
    """``numbers``: the contact fields by which a row may name its contact, the best one first."""

    admin: Five9Admin
    folder: str
    name: str
    row_limit: int
    wait_seconds: int
    zone: tzinfo
    numbers: Sequence[str]

    @classmethod
    def of(
        cls,
        admin: Five9Admin,
        settings: Mapping[str, str],
        *,
        zone: tzinfo,
        numbers: Sequence[str],
    ) -> ChangeReport | None:
        """None where the account has no such report. Raises PermanentError for half of one."""
        folder, name = settings["FIVE9_REPORT_FOLDER"], settings["FIVE9_REPORT_NAME"]
        if not (folder or name):
            return None
        if not (folder and name):
            raise PermanentError("Five9: set both FIVE9_REPORT_FOLDER and FIVE9_REPORT_NAME.")
        return cls(
            admin,
            folder,
            name,
            row_limit=positive_int(settings, "FIVE9_REPORT_LIMIT"),
            wait_seconds=positive_int(settings, "FIVE9_REPORT_WAIT_SECONDS"),
            zone=zone,
            numbers=numbers,
        )

    def changed(self, start: datetime, end: datetime) -> list[Forms] | None:
        """What finds each contact that changed, each once; None where a row names no number."""
        found: dict[Forms, None] = {}
        for result in self._results(start.replace(microsecond=0), end):
            places = self._places(result.header)
            for row in result.rows:
                forms = _forms(row, places)
                if not forms:
                    return None
                found[forms] = None
        return list(found)

    def _results(self, start: datetime, end: datetime) -> list[ReportResult]:
        """The report, in as many ranges as its row limit makes necessary."""
        result = self._result(start, end)
        if len(result.rows) < self.row_limit:
            return [result]
        if end - start < SHORTEST_RANGE:
            raise PermanentError(
                f"Five9 getReportResult cuts off {self.folder}/{self.name} at {self.row_limit} rows"
                f" even from {start:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC; run with --full."
            )
        middle = (start + (end - start) / 2).replace(microsecond=0)
        # Both hold the middle: what changed in that second stands in one of them for sure.
        return [*self._results(start, middle), *self._results(middle, end)]

    def _result(self, start: datetime, end: datetime) -> ReportResult:
        identifier = self.admin.run_report(
            self.folder, self.name, start.astimezone(self.zone), end.astimezone(self.zone)
        )
        deadline = monotonic() + self.wait_seconds
        poll_seconds = self.admin.longest_poll_seconds
        pace = FIRST_PACE_SECONDS
        while self.admin.is_report_running(identifier, poll_seconds=poll_seconds):
            if monotonic() >= deadline:
                raise TransientError(
                    f"Five9 isReportRunning: {self.folder}/{self.name} was not made within"
                    f" {self.wait_seconds} seconds; try again later."
                )
            # A domain may answer at once instead of when it knows more, and each question counts.
            self.admin.pause(min(pace, max(0.0, deadline - monotonic())))
            pace = min(2 * pace, LONGEST_PACE_SECONDS)
        return self.admin.report_result(identifier)

    def _places(self, header: Sequence[str | None]) -> list[tuple[str, int]]:
        """Where the numbers stand: headers are written as NUMBER1, Number 1 or number1."""
        places = {_plain(title or ""): place for place, title in enumerate(header)}
        found = [(name, places[_plain(name)]) for name in self.numbers if _plain(name) in places]
        if not found and header:
            raise PermanentError(
                f"Five9 getReportResult: the report {self.folder}/{self.name} has no column"
                f" {self.numbers[0]}; add it to the report, or empty FIVE9_REPORT_NAME."
            )
        return found


def _forms(row: Sequence[str | None], places: Sequence[tuple[str, int]]) -> Forms:
    """Of the first number that the row has; none where it has none."""
    for name, place in places:
        if value := row[place]:
            values = forms_of(value) if name in NUMBER_FIELDS else (value,)
            return tuple(Criterion(name, form) for form in values)
    return ()


def forms_of(number: str) -> tuple[str, ...]:
    """How a contact may have the number that a report writes as 615-555-0001 or (615) 555-0001."""
    digits = "".join(c for c in number if c in string.digits)
    if not digits:
        return (number,)
    others = [digits, f"+{digits}"]
    others += (
        [digits[1:]] if len(digits) == 11 and digits[0] == "1" else [f"1{digits}", f"+1{digits}"]
    )
    return tuple(dict.fromkeys((number, *others)))


def _plain(title: str) -> str:
    return "".join(c for c in title.lower() if c.isalnum())
