"""Lists that shift while they are read, that ignore what they are asked for, or that are cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

from werkzeug import Request, Response

from ingestion.sync.arrivy import source as arrivy
from ingestion.sync.http import client
from sandbox.base import SandboxConf
from sandbox.crms.five9.service import Five9Sandbox
from tests.cases.test_hubspot import NEW_YEAR, Portal
from tests.mutants.lives.stage import Life, Stage
from tests.mutants.outcome import Outcome
from tests.truth import test_arrivy
from tests.truth.changing import InProcess
from tests.truth.lists import AT, CALLRAIL, DIALECTS, Dialect, ShiftingList
from tests.truth.test_five9 import ODD_NAMES, ODD_NUMBERS
from tests.truth.test_marketsharp import begin as begin_marketsharp
from tests.truth.world import serve

SIZE = 20
Change = Callable[[list[Any]], None]


@dataclass
class OddList(ShiftingList):
    """``ignores``: the page that is asked for; it comes whole where it ignores the size too.
    ``changes``: after so many answers of a pass, both from 1 on; 0: before the first one."""

    ignores: str = ""
    changes: Mapping[tuple[int, int], Change] = field(default_factory=dict)
    at: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.after_answer = lambda number: self._go_on(self.at[0], self.at[1] + 1)

    def _go_on(self, number: int, answers: int) -> None:
        self.at = (number, answers)
        self.changes.get(self.at, lambda ids: None)(self.ids)

    def span(self, request: Request) -> tuple[int, int]:
        start, size = super().span(request)
        if start == 0 and int(request.args[self.dialect.size]) == SIZE:
            self._go_on(self.at[0] + 1, 0)
        match self.ignores:
            case "page":
                return 0, size
            case "page and size":
                return 0, len(self.ids)
        return start, size


def to_the_end(rows: list[Any]) -> None:
    rows.append(rows.pop(0))


def few_to_the_end(rows: list[Any]) -> None:
    rows[:] = rows[4:] + rows[:4]


def to_the_front(rows: list[Any]) -> None:
    rows.insert(0, rows.pop(-6))


def goes_away(rows: list[Any]) -> None:
    del rows[:3]


def comes_back(rows: list[Any]) -> None:
    rows[:0] = [1, 2, 3]


def hop(rows: list[Any]) -> None:
    """Two of the last ones are first now."""
    rows.remove(65)
    rows.remove(66)
    rows[:0] = [65, 66]


def hop_back(rows: list[Any]) -> None:
    rows.remove(66)
    rows.append(66)


def hop_again(rows: list[Any]) -> None:
    rows.insert(0, rows.pop())


def life(dialect: Dialect, changes: Mapping[tuple[int, int], Change], **odd: Any) -> Life:
    """Seventy rows, which change while the first run reads them."""

    def played(stage: Stage) -> Outcome:
        rows = OddList(dialect, list(range(1, 71)), changes=changes, **odd)
        rows.begin(stage.world, stage.server)
        stage.try_to_sync(dialect.model, batch_size=SIZE)
        # With another number of answers fewer changes occur: all rows are there at the end.
        rows.changes, rows.ids = {}, list(range(1, 71))
        return stage.outcome(dialect.model)

    return played


def fails_once(dialect: Dialect, ignores: str) -> Life:
    """A run that cannot reach all of a list has no effect."""

    def played(stage: Stage) -> Outcome:
        rows = OddList(dialect, list(range(1, 71)))
        rows.begin(stage.world, stage.server)
        stage.sync(dialect.model, batch_size=SIZE)
        rows.ignores = ignores
        stage.try_to_sync(dialect.model, batch_size=SIZE, accept_deletions=True)
        rows.ignores = ""
        return stage.outcome(dialect.model)

    return played


def grows(dialect: Dialect, *counts: int, **odd: Any) -> Life:
    """The list has so many rows at each run."""

    def played(stage: Stage) -> Outcome:
        rows = OddList(dialect, [], **odd)
        rows.begin(stage.world, stage.server)
        for count in counts:
            rows.ids = list(range(1, count + 1))
            stage.try_to_sync(dialect.model, batch_size=SIZE, accept_deletions=True)
        return stage.outcome(dialect.model)

    return played


def other_offsets(stage: Stage) -> Outcome:
    """Calls whose links count pages where rows are expected, so that only the links are followed."""
    calls = [{"id": f"C{n:05}", "start_time": AT, "tags": []} for n in range(45)]

    def answer(request: Request) -> Any:
        key = request.path.rsplit("/", 1)[1].removesuffix(".json")
        if key != "calls":
            return next((call for call in calls if call["id"] == key), Response("{}", 404))
        size, number = int(request.args["per_page"]), int(request.args.get("offset", 0))
        end = size * (number + 1)
        link = f"{request.base_url}?per_page={size}&offset={number + 1}"
        found = {"calls": calls[end - size : end], "total_records": len(calls)}
        return {**found, "next_page": link if end < len(calls) else None}

    stage.world.use("callrail", {"CALLRAIL_BASE_URL": serve(stage.server, answer), **CALLRAIL})
    stage.sync("calls", batch_size=SIZE)
    return stage.outcome("calls")


def marketsharp(change: Change | None, *, ignores_skip: bool = False) -> Life:
    """Sixty contacts in pages that overlap; one moves when the first page of a run was given."""

    def played(stage: Stage) -> Outcome:
        rows = [
            {"id": f"{n:03}", "lastName": f"Lee {n}", "lastUpdate": "2026-01-09T16:40:02"}
            for n in range(60)
        ]
        odd = {"ignores": False, "changes": False}

        def answer(request: Request) -> Any:
            if request.path.endswith("$count"):
                return Response(str(len(rows)), content_type="text/plain")
            skip, top = (int(request.args.get(name, 0)) for name in ("$skip", "$top"))
            first = 0 if odd["ignores"] else skip
            found = rows[first : first + top]
            if odd["changes"] and change is not None and not skip:
                change(rows)
            return {"d": {"results": found}}

        begin_marketsharp(stage.world, stage.server, answer)
        stage.sync("contacts", batch_size=SIZE)
        odd.update(ignores=ignores_skip, changes=True)
        stage.try_to_sync("contacts", batch_size=SIZE, accept_deletions=True)
        odd.update(ignores=False, changes=False)
        return stage.outcome("contacts")

    return played


def schedule(stage: Stage) -> Outcome:
    """Parts of it have more tasks than an answer has; some are planned for far ahead, some moved."""
    is_small = patch.multiple(arrivy, CUT_AT=20, ALMOST_CUT=18)
    with is_small, patch.object(test_arrivy, "NOW", stage.now):
        tasks = test_arrivy.Schedule(
            {i: -100 + i for i in range(1, 61)} | {70: 300, 71: 3000}, cut_at=20
        )
        tasks.begin(stage.world, stage.server)
        stage.sync("tasks")
        tasks.days |= {1: 20, 2: 2000, 60: -41, 80: 5.5, 81: -0.5}
        stage.sync("tasks", "delta")
        del tasks.days[30], tasks.days[31]
        stage.sync("tasks", accept_deletions=True)
        return stage.outcome("tasks")


def five9(
    numbers: Sequence[str] = ODD_NUMBERS, names: Sequence[str] = ODD_NAMES, **behavior: Any
) -> Life:
    """A domain with more contacts than a lookup gives, whatever their numbers and names begin with."""

    def played(stage: Stage) -> Outcome:
        sandbox = Five9Sandbox(SandboxConf(stage.folder, rows=1))
        sandbox.domain.contacts.clear()
        for name, value in {"record_limit": SIZE, **behavior}.items():
            setattr(sandbox.behavior, name, value)
        for number in range(15):
            sandbox.domain.add({"number1": f"615{number:07d}", "last_name": f"Lee {number}"})
        for odd in numbers:
            sandbox.domain.add({"number1": odd})
        for odd in names:
            sandbox.domain.add({"last_name": odd})
        settings = sandbox.settings("http://five9.invalid")
        with patch.object(client, "StoppableAdapter", partial(InProcess, sandbox.wsgi())):
            stage.world.use("five9", {**settings, "FIVE9_RECORD_LIMIT": str(SIZE)})
            stage.sync("contacts")
            if not behavior:  # only then a run can prove who is gone
                for key in list(sandbox.domain.contacts)[13:17]:
                    del sandbox.domain.contacts[key]
            sandbox.domain.add({"number1": "ext. 5", "number2": "#9"})
            stage.sync("contacts")
            return stage.outcome("contacts")

    return played


class NarrowPortal(Portal):
    """Gives the properties that are asked for, and no others."""

    def answer(self, request: Request) -> Any:
        asked = request.get_json(silent=True) or {}
        names = asked.get("properties") or request.args.get("properties", "").split(",")
        found = super().answer(request)
        for one in found.get("results", []) if isinstance(found, dict) else []:
            if "properties" in one:
                own = {n: v for n, v in one["properties"].items() if n in {*names, *ALWAYS}}
                one["properties"] = own
        return found


ALWAYS = ("hs_object_id", "lastmodifieddate")


def wide_portal(stage: Stage) -> Outcome:
    """More properties than fit into a URL, more contacts than a page; one is archived meanwhile."""
    names = [f"a_property_with_a_name_that_is_quite_long_and_number_{n:03}" for n in range(330)]
    portal = NarrowPortal(stage.world, stage.server, **dict.fromkeys(names, "string"))
    for number in range(1, 36):
        portal.put(number, NEW_YEAR, **{names[0]: f"first {number}", names[-1]: f"last {number}"})
    portal.archived = {35: "2026-01-11T00:00:00.000Z"}
    stage.sync("contacts")
    for number in range(5, 30):
        portal.put(number, "2026-02-01T00:00:00.000Z", **{names[-1]: f"later {number}"})
    stage.sync("contacts", "delta")
    return stage.outcome("contacts")


_NAMED = {dialect.name: dialect for dialect in DIALECTS}
# One of each way to say whether there is more, and one that counts rows instead of pages.
KINDS = (
    *("salesrabbit.leads", "salespro.customers", "arrivy.bookings", "callrail.users"),
    "callrail.calls",
)
# The others tell by a page that is not full, or by pages of the size that was asked for.
OF_OWN_SIZE = ("salesrabbit.leads", "arrivy.bookings")
SHIFTS: Mapping[str, Mapping[tuple[int, int], Change]] = {
    "to the end": {(1, 1): to_the_end},
    "few to the end": {(1, 2): few_to_the_end},
    "to the front": {(1, 2): to_the_front},
    "away for a while": {(1, 1): goes_away, (1, 3): comes_back},
    "late": {(1, 4): to_the_end},
    "there and back": {(1, 2): hop, (2, 0): hop_back, (2, 2): hop_again},
}

LIVES: Mapping[str, Life] = {
    **{
        f"{kind} {shift}": life(_NAMED[kind], changes)
        for kind in KINDS
        for shift, changes in SHIFTS.items()
    },
    **{f"{kind} smaller pages": life(_NAMED[kind], {}, own_size=7) for kind in OF_OWN_SIZE},
    **{
        f"{kind} smaller pages shift": life(_NAMED[kind], {(1, 2): to_the_end}, own_size=7)
        for kind in OF_OWN_SIZE
    },
    **{
        f"{kind} larger pages": life(_NAMED[kind], {(1, 2): to_the_end}, own_size=30)
        for kind in OF_OWN_SIZE
    },
    **{f"{kind} grows": grows(_NAMED[kind], 1, 20, 19, 41, 40, 60, 21) for kind in KINDS},
    **{
        f"{kind} whole": grows(_NAMED[kind], 5, 20, 45, 19, ignores="page and size")
        for kind in OF_OWN_SIZE
    },
    **{f"{kind} ignores the page once": fails_once(_NAMED[kind], "page") for kind in KINDS},
    **{
        f"{kind} few smaller pages": grows(_NAMED[kind], 12, 14, 8, own_size=7)
        for kind in OF_OWN_SIZE
    },
    "callrail other offsets": other_offsets,
    "marketsharp to the end": marketsharp(to_the_end),
    "marketsharp to the front": marketsharp(to_the_front),
    "marketsharp ignores the place once": marketsharp(None, ignores_skip=True),
    "arrivy schedule": schedule,
    "five9 numbered": five9(["x1", "x2", *(f"71{n:03}55" for n in range(20))], ()),
    "five9 odd": five9(),
    "five9 without empty": five9(takes_empty=False, finds_empty=False),
    "five9 without beginnings": five9(wildcard_may_begin=False),
    "hubspot wide": wide_portal,
}
