"""What of the syncs is mutated, and the lives in which a fault of it can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutation import Mutation
from tests.mutants.scopes import mutations_of


@dataclass(frozen=True)
class Area:
    """``files``: with the beginning of the names of functions and classes. ``lives``: names, by what
    a path begins with; the longest counts. The quick ones come first."""

    files: tuple[tuple[str, str], ...]
    lives: Mapping[str, tuple[str, ...]]

    def lives_of(self, path: str) -> tuple[str, ...]:
        return self.lives[max((p for p in self.lives if path.startswith(p)), key=len)]

    @property
    def all_lives(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(life for lives in self.lives.values() for life in lives))

    def mutations(self, root: Path) -> list[Mutation]:
        """Without those of texts for people, which change no table."""
        found = [
            mutation
            for path, within in self.files
            for mutation in mutations_of(root, path)
            if mutation.within.startswith(within)
        ]
        return [m for m in found if not (m.before[:1] in "\"'" and " " in m.before)]


_SYNC = "ingestion/sync"
_LISTS = (
    *("salesrabbit.leads", "salespro.customers", "arrivy.bookings", "callrail.users"),
    "callrail.calls",
)
_SHIFTS = (
    *("to the end", "few to the end", "to the front", "away for a while", "late"),
    "there and back",
)
_OF_OWN_SIZE = ("salesrabbit.leads", "arrivy.bookings")
_SHIFTING = (
    *(f"lists.{name} {shift}" for shift in _SHIFTS for name in _LISTS),
    *(f"lists.{name} smaller pages" for name in _OF_OWN_SIZE),
    *(f"lists.{name} few smaller pages" for name in _OF_OWN_SIZE),
    *(f"lists.{name} smaller pages shift" for name in _OF_OWN_SIZE),
    *(f"lists.{name} larger pages" for name in _OF_OWN_SIZE),
    *(f"lists.{name} grows" for name in _LISTS),
    *(f"lists.{name} whole" for name in _OF_OWN_SIZE),
    *(f"lists.{name} ignores the page once" for name in _LISTS),
)
_SQL = ("changing.sql changes 1", "changing.sql changes 2")
_SOAP = ("changing.soap changes 1", "changing.soap changes 2")
_MOVING_SHEET = tuple(f"changing.sheet moves {n}" for n in (1, 2, 3))
_CURSOR_KINDS = (
    *("moments", "times without a zone", "texts", "object ids", "seconds", "milliseconds"),
    *("microseconds", "numbers"),
)
_CURSORS = (
    *(f"fake.{kind} on time" for kind in _CURSOR_KINDS),
    *(f"fake.{kind} of the future" for kind in _CURSOR_KINDS[:-1]),
    *(f"fake.{kind} set back" for kind in _CURSOR_KINDS),
    *("fake.moments of the future alone", "fake.object ids of the future alone"),
    *(
        "fake.moments loses the last",
        "fake.numbers loses the last",
        "fake.moments fails on the way",
    ),
    *("fake.moments late", "fake.moments in parts", "fake.moments set back a little"),
    *("fake.moments without the field", "fake.moments in small batches"),
    "gone.whole and not all read",
)
_KEYS = tuple(
    f"gone.{name}"
    for name in (
        *("sums of keys", "sums of keys on time", "listed keys", "whole", "whole and skipped"),
        *(
            "whole and empty",
            "whole and in great numbers",
            "whole and not all read",
            "whole and reported",
        ),
    )
)
_CELLS = tuple(
    f"sheets.{name}"
    for name in (
        *("amounts", "dates", "whole numbers", "times", "times in Tokyo", "texts", "german"),
        *("german texts", "british", "chinese", "unknown locale", "odd headers", "equal rows"),
    )
)
_TABS = tuple(
    f"sheets.{name}"
    for name in (
        *("long", "gaps", "long in one range", "short grid", "a format adds to texts"),
        *("equal rows", "texts"),
    )
)
_CALLS = tuple(
    f"values.callrail {name}"
    for name in (
        *("tags", "answered", "duration", "value", "note", "milestones", "created_at"),
        "unheard_of",
    )
)
_LEADS = tuple(
    f"values.salesrabbit {name}"
    for name in (
        *("latitude", "dateOfBirth", "statusModified", "notes", "campaignId", "customFields"),
        "shapes",
    )
)
_TEXTS = tuple(
    f"values.five9 {name}" for name in ("amounts", "whole numbers", "times", "days", "without ids")
)
_ENTITIES = tuple(
    f"values.marketsharp{form}" for form in ("", " bare", " atom", " atom with a base")
)
_LAKES = ("values.lake", "values.lake in Tokyo")
_TABLES = tuple(
    f"sandboxes.genius.{model}"
    for model in ("leads", "appointments", "jobs", "job_change_orders", "change_order_items")
)
_HIDING = ("sandboxes.salesrabbit.leads hidden", "sandboxes.genius.leads hidden")

AREAS: Mapping[str, Area] = {
    "paging": Area(
        files=(
            (f"{_SYNC}/http/overlap.py", ""),
            # Of CRMs that a project adds are NumberedPages.
            *(
                (f"{_SYNC}/http/pagination.py", name)
                for name in (
                    *("CursorPages", "LinkedPages", "_set", "value_at", "RepeatGuard"),
                    "require_whole",
                )
            ),
            (f"{_SYNC}/hubspot/api.py", "HubspotApi"),
            (f"{_SYNC}/five9/division.py", ""),
            (f"{_SYNC}/genius/keyset.py", ""),
            (f"{_SYNC}/gsheet/tab.py", ""),
            (f"{_SYNC}/gsheet/source.py", "Source._pages"),
            (f"{_SYNC}/salespro/athena.py", "AthenaBackend._results"),
            (f"{_SYNC}/leadconduit/source.py", "Source"),
            (f"{_SYNC}/marketsharp/source.py", "Source"),
            (f"{_SYNC}/arrivy/source.py", "Source"),
        ),
        lives={
            f"{_SYNC}/http/overlap": (
                *_SHIFTING,
                *(f"changing.{name} moves {n}" for n in (1, 2) for name in _OF_OWN_SIZE),
                *(f"changing.{name} changes" for name in _OF_OWN_SIZE),
            ),
            f"{_SYNC}/http/pagination": (
                *("sandboxes.hubspot.contacts", "lists.callrail other offsets"),
                *(f"lists.{name} whole" for name in _OF_OWN_SIZE),
                *(f"lists.{name} ignores the page once" for name in _LISTS),
            ),
            f"{_SYNC}/hubspot": (
                *("sandboxes.hubspot.contacts", "sandboxes.hubspot.owners"),
                *("sandboxes.hubspot.associations in pages", "values.hubspot"),
                *("lists.hubspot wide", "sandboxes.hubspot.associations"),
            ),
            f"{_SYNC}/five9": (
                *("lists.five9 numbered", "lists.five9 odd", "lists.five9 without empty"),
                *("lists.five9 without beginnings", *_SOAP),
            ),
            f"{_SYNC}/genius": (
                *("sandboxes.genius.leads", "sandboxes.genius.leads odd"),
                *("sandboxes.genius.leads equal", *_SQL),
            ),
            f"{_SYNC}/gsheet": (*_TABS, "sandboxes.gsheet.leads", *_MOVING_SHEET),
            f"{_SYNC}/salespro": (*_LAKES, "sandboxes.salespro.jobs lake"),
            f"{_SYNC}/leadconduit": ("sandboxes.leadconduit.leads",),
            f"{_SYNC}/marketsharp": (
                *("lists.marketsharp to the end", "lists.marketsharp to the front"),
                "lists.marketsharp ignores the place once",
                *("sandboxes.marketsharp.contacts", *_ENTITIES),
            ),
            f"{_SYNC}/arrivy": (
                *("sandboxes.arrivy.tasks", "lists.arrivy schedule"),
                *("changing.arrivy.tasks moves 1", "lists.arrivy.bookings to the end"),
                "lists.arrivy.bookings whole",
            ),
        },
    ),
    "deletions": Area(
        files=(
            (f"{_SYNC}/load/absent.py", ""),
            (f"{_SYNC}/load/keys.py", ""),
            (f"{_SYNC}/load/owners.py", ""),
            (f"{_SYNC}/load/merge.py", "Merge.mark"),
            (f"{_SYNC}/load/merge.py", "Merge._is_absent"),
        ),
        lives={
            f"{_SYNC}/load": (
                *_KEYS,
                *("sandboxes.salesrabbit.leads", "sandboxes.genius.leads"),
                *("sandboxes.hubspot.contacts", "sandboxes.callrail.calls", *_HIDING, *_SQL),
                *("sandboxes.callrail.call_tags", "sandboxes.hubspot.associations"),
                *("changing.salesrabbit.leads moves 1", "changing.salesrabbit.leads changes"),
                *("changing.soap changes 1", "sheets.long"),
            )
        },
    ),
    "watermark": Area(
        files=((f"{_SYNC}/common/window.py", ""), (f"{_SYNC}/load/reading.py", "Reading")),
        lives={
            f"{_SYNC}/": (
                *_CURSORS,
                *("sandboxes.genius.leads odd", "sandboxes.hubspot.contacts", "values.lake"),
                *("sandboxes.leadconduit.leads", "sandboxes.callrail.call_tags"),
            )
        },
    ),
    "converter": Area(
        files=(
            (f"{_SYNC}/common/values.py", ""),
            (f"{_SYNC}/http/amounts.py", ""),
            (f"{_SYNC}/gsheet/cells.py", ""),
            (f"{_SYNC}/gsheet/locale.py", ""),
            (f"{_SYNC}/five9/fields.py", ""),
            (f"{_SYNC}/hubspot/values.py", ""),
            (f"{_SYNC}/salespro/times.py", ""),
            (f"{_SYNC}/marketsharp/odata.py", ""),
            (f"{_SYNC}/callrail/rows.py", ""),
        ),
        lives={
            f"{_SYNC}/common": (*_CALLS, *_LEADS, *_TABLES, *_TEXTS, *_CELLS[:6], "values.hubspot"),
            f"{_SYNC}/http": (
                *(
                    "values.five9 amounts",
                    "sheets.amounts",
                    "sheets.german",
                    "values.callrail tags",
                ),
            ),
            f"{_SYNC}/gsheet": (*_CELLS, "sandboxes.gsheet.leads", "sandboxes.gsheet.spends"),
            f"{_SYNC}/five9": ("sandboxes.five9.contacts", *_TEXTS),
            f"{_SYNC}/hubspot": ("values.hubspot", "sandboxes.hubspot.contacts"),
            f"{_SYNC}/salespro": (
                *_LAKES,
                *("sandboxes.salespro.jobs lake", "sandboxes.salespro.jobs"),
            ),
            f"{_SYNC}/marketsharp": (*_ENTITIES, "sandboxes.marketsharp.contacts"),
            f"{_SYNC}/callrail": (
                *_CALLS,
                *("sandboxes.callrail.calls", "sandboxes.callrail.call_tags"),
                *("sandboxes.callrail.webhooks", "sandboxes.callrail.integrations"),
            ),
        },
    ),
}
