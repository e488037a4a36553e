"""Values out of the ordinary, as each CRM sends them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

from werkzeug import Request, Response

from ingestion.sync.http import client
from sandbox.base import SandboxConf
from sandbox.crms.five9.service import Five9Sandbox
from tests.cases.lake import Lake
from tests.cases.test_hubspot import NEW_YEAR, Portal
from tests.cases.test_lists import SHAPES
from tests.mutants.lives.stage import Life, Stage
from tests.mutants.outcome import Outcome
from tests.truth.changing import InProcess
from tests.truth.lists import CALLRAIL, RABBIT
from tests.truth.test_marketsharp import begin as begin_marketsharp
from tests.truth.test_odd_values import AMOUNTS, MOMENTS
from tests.truth.world import serve

TEXT_AMOUNTS = (
    *(
        *AMOUNTS,
        "12.5%",
        " 7 ",
        "1,23,456",
        "12,50",
        "1e5",
        "1e400",
        "--7",
        "(-7)",
        "+7",
        "(5) USD",
    ),
    *("$ (5)", "1 234.5", "1'234", ".5", "5.", "kr. 5", "5\u2212", "nothing", "0", "-0", "1.50"),
)
TEXT_MOMENTS = (
    *(*MOMENTS, "2026-01-09 16:40:02", "2026-01-09", " 2026-01-09 16:40:02.000 ", "01/09/2026"),
    *("2026-01-09 16:40:02.000 GMT", "2026-03-08 02:30:00.000", "0001-01-01 00:00:00.000", "soon"),
)


def five9(**columns: Sequence[str]) -> Life:
    """Each text in a contact of its own, in the field whose name has ``_`` for a blank."""

    def played(stage: Stage) -> Outcome:
        sandbox = Five9Sandbox(SandboxConf(stage.folder, rows=3))
        for name, texts in columns.items():
            for number, text in enumerate(texts):
                named = {"first_name": f"{name} {number}", name.replace("_", " "): text}
                sandbox.domain.add({"number1": "6155550101", **named})
        sandbox.domain.add({"number2": "6155550102"})
        with patch.object(client, "StoppableAdapter", partial(InProcess, sandbox.wsgi())):
            zone = {"FIVE9_TIME_ZONE": "America/Los_Angeles"}
            stage.world.use("five9", {**sandbox.settings("http://five9.invalid"), **zone})
            stage.sync("contacts")
            return stage.outcome("contacts")

    return played


def without_ids(stage: Stage) -> Outcome:
    """Contacts of a domain that has no ids are told apart by what they are."""
    sandbox = Five9Sandbox(SandboxConf(stage.folder, rows=12))
    for number, name in enumerate(("Ann", "Bo", "")):
        sandbox.domain.add({"number1": "6155550101", "first_name": name, "last_name": f"L{number}"})
    sandbox.behavior.has_ids = False
    with patch.object(client, "StoppableAdapter", partial(InProcess, sandbox.wsgi())):
        stage.world.use("five9", sandbox.settings("http://five9.invalid"))
        stage.sync("contacts")
        stage.sync("contacts")
        return stage.outcome("contacts")


def json_list(
    crm: str, model: str, settings: Mapping[str, str], records: Sequence[Mapping[str, Any]]
) -> Life:
    """Records of a list of one page, which can be asked for one by one."""

    def played(stage: Stage) -> Outcome:
        by_id = {str(record["id"]): record for record in records}

        def answer(request: Request) -> Any:
            key = request.path.rsplit("/", 1)[1].removesuffix(".json")
            if crm == "callrail":
                found: Any = by_id.get(key) if key != model else None
                whole = {model: list(records), "next_page": None, "total_records": len(records)}
                return found or (whole if key == model else Response("{}", 404))
            if key in by_id:
                return {"data": by_id[key]}
            first = int(request.args["perPage"]) * (int(request.args["page"]) - 1)
            return {"data": list(records)[first:], "meta": {"morePages": False}}

        url = serve(stage.server, answer)
        stage.world.use(crm, {f"{crm.upper()}_BASE_URL": url, **settings})
        stage.sync(model, batch_size=1000)
        return stage.outcome(model)

    return played


AT = "2026-11-02T10:00:00.000-05:00"
# What a JSON field may hold, whatever its column is for.
ANYTHING: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        7,
        2**53 + 1,
        2**63 - 1,
        -(2**63),
        2**63,
        2**80,
        0.5,
        1.0,
        12.25,
    ),
    *(
        1e20,
        1e300,
        -0.0,
        12345678901234567.5,
        "",
        " ",
        "0",
        "1",
        "7",
        "-7",
        "007",
        "1.0",
        "1.5",
        "12.00",
    ),
    *(
        "1e3",
        "1e400",
        "1_000",
        "Infinity",
        "NaN",
        "+5",
        ".5",
        "5.",
        "9223372036854775808",
        "x" * 300,
    ),
    *("true", "FALSE", "Yes", "n", "T", "on", "2", "maybe", " true ", "é\u0000\ud800z", "李"),
    *("2026-01-09", "2026-01-09T16:40:02Z", "2026-01-09 16:40:02", "2026-01-09T16:40:02.1234567Z"),
    *(
        "2026-01-09T23:40:02-05:00",
        "2026-01-09T00:00:00",
        "9999-12-31T23:59:59-05:00",
        "0000-00-00",
    ),
    *("0001-01-01T00:00:00+05:00", "12026-01-01", "16:40", "16:40:02.5", "24:00:00", "20260109"),
    *(
        {},
        [],
        {"a": None},
        {"b": [1, 2.0, {"": 1}], "a": "\u0000"},
        [None, True, "x"],
        '{"a": 1}',
        "[1, 2]",
    ),
    *('{"bad', '"text"', "null", {"n": 1e20, "m": 1.0}, [[]], "\u00a07"),
)


def in_column(name: str, **others: Any) -> list[dict[str, Any]]:
    return [{"id": f"C{n}", **others, name: value} for n, value in enumerate(ANYTHING)]


def numbered(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [{**record, "id": n} for n, record in enumerate(records, start=1)]


CALLS = partial(in_column, start_time=AT, tags=[])
CALL_COLUMNS = ("answered", "duration", "value", "note", "milestones", "created_at", "unheard_of")
LEAD_COLUMNS = ("latitude", "dateOfBirth", "statusModified", "notes", "campaignId", "customFields")
TAGS: tuple[Any, ...] = (
    *([], None, ["bare", "again"], [{"id": 5, "name": "five"}, {"id": 0, "name": "none"}]),
    *(
        [{"id": None, "name": "named", "color": "red"}],
        [{"id": "7", "name": "x", "tag_level": "c"}],
    ),
)
TAGGED = [
    {"id": f"C{n}", "start_time": at, "tags": tags, "value": value}
    for n, (tags, at, value) in enumerate(
        [(tags, at, "$1") for tags in TAGS for at in (AT, "2026-11-01T23:59:59.000-08:00")]
        + [([], AT, amount) for amount in TEXT_AMOUNTS]
        + [([], AT, 12.5), ([], AT, 7), ([], AT, None), ([], AT, True)]
    )
]


def hubspot(stage: Stage) -> Outcome:
    """Properties of every kind; archived, restored and merged contacts, and one without an id."""
    portal = Portal(
        stage.world,
        stage.server,
        d="date",
        dt="datetime",
        n="number",
        b="bool",
        e="enumeration",
        archived="bool",
        created_at="datetime",
        hs_merged_object_ids="string",
    )
    dates = (
        *(
            "1706659200000",
            "1706659200000.0",
            "253402300800000",
            "2026-01-01",
            "20260101",
            "-86400000",
        ),
        *("1706659200123", "999999999", "99999999", "2026-01-01T05:00:00Z", "", "soon", "0"),
    )
    for number, text in enumerate(dates, start=1):
        portal.put(number, NEW_YEAR, d=text, dt=text, n=text, b="true", e="a;b", archived="false")
    portal.put(30, NEW_YEAR, created_at="2020-01-01T00:00:00Z", hs_merged_object_ids="31;32:5; 33")
    for number in range(34, 60):
        portal.put(number, NEW_YEAR, n="1.50")
    portal.archived = {40: "2026-01-11T00:00:00.000Z", 41: "2026-01-12T10:00:00+05:00"}
    stage.sync("contacts")
    portal.put(42, "2026-01-20T00:00:00.000Z", n="2")
    portal.archived[43] = "2026-01-21T00:00:00.000Z"
    stage.sync("contacts", "delta")
    portal.put(44, "2026-01-22T00:00:00.000Z", hs_merged_object_ids="45")
    del portal.contacts[45]
    stage.sync("contacts", "delta")
    return stage.outcome("contacts")


LAKE_TIMES = (
    *("2026-01-12 15:20:11.000", "2026-01-12 15:20:11.000 America/New_York", "2026-01-12 15:20:11"),
    *("2026-01-12 15:20:11.123 UTC", "2026-01-12 15:20:11 +05:30", "2026-01-12 15:20:11.5 -05:00"),
    *("9999-12-31 23:59:59", "0001-01-01 00:00:00", "2026-11-01 01:30:00", "2026-03-08 02:30:00"),
    *("", None, "soon", "2026-13-01 00:00:00", "2026-01-12 15:20:11 Nowhere/City", "2026-01-12"),
)


def lake(zone: str) -> Life:
    """More rows than a page; then what the hour brings that autumn repeats."""

    def played(stage: Stage) -> Outcome:
        rows: list[Any] = [
            [f"c{n}", "x", at, f"2026-10-{1 + n:02} 10:00:00.000"]
            for n, at in enumerate(LAKE_TIMES)
        ]
        rows += [[f"n{n}", "x", None, None] for n in range(12)]
        table = Lake(
            {"customer": (("customer_id", "company_id", "created_at", "updated_at"), rows)}
        )
        table.begin(stage.world, stage.server, SALESPRO_TIME_ZONE=zone)
        stage.sync("customers")
        rows += [["d1", "x", None, "2026-11-01 01:50:00.000"]]
        stage.sync("customers", "delta")
        rows += [["d2", "x", None, "2026-11-01 01:10:00.000"], ["n99", "y", None, None]]
        stage.sync("customers", "delta")
        return stage.outcome("customers")

    return played


WCF = (
    *(
        "/Date(1767970800000)/",
        "/Date(1767970800000-0500)/",
        "/Date(-1)/",
        "/Date(253402300800000)/",
    ),
    *("2026-01-09T16:40:02", "2026-01-09T16:40:02Z", "9999-12-31T23:59:59", "2026-11-01T01:30:00"),
    *("0001-01-01T00:00:00", "soon", "", None, "/Date(x)/", 5),
)


def marketsharp(form: str) -> Life:
    def played(stage: Stage) -> Outcome:
        rows = [
            {
                "id": f"{n:03}",
                "lastName": "Lee",
                "lastUpdate": at,
                "createdDate": at,
                "isActive": n % 2 == 0,
                "yearHomeBuilt": n or None,
                "__metadata": {"type": "x"},
                "Address": {"__deferred": {"uri": "Address"}},
            }
            for n, at in enumerate(WCF)
        ]
        body: Any = {"d": rows} if form == "bare" else {"d": {"results": rows}}
        begin_marketsharp(stage.world, stage.server, lambda request: _page(request, body, rows))
        stage.sync("contacts", batch_size=100)
        return stage.outcome("contacts")

    return played


def _page(request: Request, body: Any, rows: Sequence[Any]) -> Any:
    if request.path.endswith("$count"):
        return Response(str(len(rows)), content_type="text/plain")
    return body


ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom"'
    ' xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata"'
    ' xmlns:d="http://schemas.microsoft.com/ado/2007/08/dataservices"{base}>{link}{entries}</feed>'
)
ENTRY = (
    "<entry><content><m:properties><d:id>{id}</d:id>"
    '<d:yearHomeBuilt m:type="Edm.Int32">{id}</d:yearHomeBuilt>'
    '<d:companyId m:type="Edm.Int16">-{id}</d:companyId>'
    '<d:price m:type="Edm.Double">1.{id}</d:price><d:bytes m:type="Edm.Byte">7</d:bytes>'
    '<d:big m:type="Edm.Int64">9007199254740993</d:big>'
    '<d:isActive m:type="Edm.Boolean">{true}</d:isActive><d:source></d:source>'
    '<d:note m:null="true"/><d:lastName>Ñ {id}</d:lastName>'
    '<d:lastUpdate m:type="Edm.DateTime">2026-01-0{id}T10:00:00</d:lastUpdate>'
    "</m:properties></content></entry>"
)


def atom(base: str) -> Life:
    """Three pages by links that are relative."""

    def played(stage: Stage) -> Outcome:
        def answer(request: Request) -> Any:
            if request.path.endswith("$count"):
                return Response("6", content_type="text/plain")
            page = int(request.args.get("$skiptoken", 0))
            entries = "".join(
                ENTRY.format(id=n, true=str(n % 2 == 0).lower())
                for n in range(1 + 2 * page, 3 + 2 * page)
            )
            others = '<link rel="self" href="Elsewhere"/>'
            more = f'<link rel="next" href="Contacts?$skiptoken={page + 1}"/>' if page < 2 else ""
            told = f' xml:base="{url}{base}"' if base else ""
            content = ATOM.format(entries=entries, link=others + more, base=told)
            return Response(content, content_type="application/atom+xml")

        url = begin_marketsharp(stage.world, stage.server, answer)
        stage.sync("contacts")
        return stage.outcome("contacts")

    return played


LIVES: Mapping[str, Life] = {
    "five9 amounts": five9(Deal_Value=TEXT_AMOUNTS, Close_Rate=TEXT_AMOUNTS),
    "five9 whole numbers": five9(attempts=TEXT_AMOUNTS),
    "five9 times": five9(Last_Modified=TEXT_MOMENTS, Appointment_Date_and_Time=TEXT_MOMENTS),
    "five9 days": five9(
        Birth_Date=("01/31/1980", "1980-01-31", " 02/01/1990 ", "31/01/1980", "2/1/1990", "soon"),
        Best_Time_to_Call=(
            "08:30 AM",
            "12:00 PM",
            "12:00 AM",
            "20:15",
            "08:30:01",
            "noon",
            "25:00",
        ),
        Opted_In=("true", "FALSE", "yes", "1", "0", "maybe"),
        Talk_Time=("00:01:15", "x"),
    ),
    "five9 without ids": without_ids,
    **{f"callrail {c}": json_list("callrail", "calls", CALLRAIL, CALLS(c)) for c in CALL_COLUMNS},
    "callrail tags": json_list("callrail", "calls", CALLRAIL, TAGGED),
    **{
        f"salesrabbit {c}": json_list("salesrabbit", "leads", RABBIT, numbered(in_column(c)))
        for c in LEAD_COLUMNS
    },
    "salesrabbit shapes": json_list(
        "salesrabbit", "leads", RABBIT, numbered([{"customFields": sent} for sent, _ in SHAPES])
    ),
    "hubspot": hubspot,
    "lake": lake("America/New_York"),
    "lake in Tokyo": lake("Asia/Tokyo"),
    "marketsharp": marketsharp("results"),
    "marketsharp bare": marketsharp("bare"),
    "marketsharp atom": atom(""),
    "marketsharp atom with a base": atom("/WcfDataService.svc/"),
}
