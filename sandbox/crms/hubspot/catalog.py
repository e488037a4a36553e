"""HubSpot's object types as the sandbox has them: properties, defaults, ids, association types."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Draw = Callable[[random.Random], str | None]

# All seeded data lies in the two years from here on; ticks come later.
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
YEARS = timedelta(days=730)


@dataclass(frozen=True)
class Prop:
    """``kind`` and ``field_type`` as HubSpot's metadata call them. ``draw`` None: set by the
    sandbox itself."""

    name: str
    kind: str
    field_type: str
    draw: Draw | None = None
    options: tuple[str, ...] = ()


def iso(at: datetime) -> str:
    """As HubSpot writes times: milliseconds and Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sometimes(draw: Draw, share: float = 0.8) -> Draw:
    return lambda rng: draw(rng) if rng.random() < share else None


def one_of(*values: str) -> Callable[[random.Random], str]:
    return lambda rng: rng.choice(values)


def money(low: int, high: int) -> Draw:
    return lambda rng: f"{rng.randint(low * 100, high * 100) / 100:.2f}"


def whole(low: int, high: int) -> Draw:
    return lambda rng: str(rng.randint(low, high))


def moment(rng: random.Random) -> str:
    return iso(BEGIN + timedelta(milliseconds=rng.randrange(YEARS // timedelta(milliseconds=1))))


def day(rng: random.Random) -> str:
    return (BEGIN + timedelta(days=rng.randrange(YEARS.days))).date().isoformat()


def text(name: str, draw: Draw) -> Prop:
    return Prop(name, "string", "text", draw)


def number(name: str, draw: Draw) -> Prop:
    return Prop(name, "number", "number", draw)


def flag(name: str) -> Prop:
    return Prop(
        name, "bool", "booleancheckbox", sometimes(one_of("true", "false")), ("true", "false")
    )


def select(name: str, *options: str) -> Prop:
    return Prop(name, "enumeration", "select", sometimes(one_of(*options)), options)


def checkboxes(name: str, *options: str) -> Prop:
    def several(rng: random.Random) -> str:
        return ";".join(o for o in options if rng.random() < 0.5)

    return Prop(name, "enumeration", "checkbox", several, options)


def assigned(name: str, kind: str = "string", field_type: str = "text") -> Prop:
    return Prop(name, kind, field_type)


def _common(modified: str) -> tuple[Prop, ...]:
    return (
        assigned("createdate", "datetime", "date"),
        assigned(modified, "datetime", "date"),
        assigned("hs_object_id", "number", "number"),
        assigned("hubspot_owner_id", "enumeration", "select"),
    )


_FIRST = one_of("Pat", "Dana", "Sam", "Zoë", "José", "Mei", "Olu", "Ines", "Łukasz", "Ada")
_LAST = one_of("Lee", "Reyes", "Roe", "O'Neil", "Núñez", "Smith-Jones", "Adeyemi", "Kim", "Ødegård")
_CITY = one_of("Denver", "Boulder", "Franklin", "Boston", "Austin", "Salt Lake City")
_TRADE = one_of("Roofing", "Windows", "Siding", "Solar", "Gutters", "Decks")
_NOTE = one_of(
    "Wants a quote", 'Said "call me", twice', "Two\nlines", "Ünïcödé – ✓", "", "50% off; ask"
)

PROPERTIES: dict[str, tuple[Prop, ...]] = {
    "contacts": (
        *_common("lastmodifieddate"),
        text("firstname", _FIRST),
        text("lastname", _LAST),
        assigned("email"),
        text("phone", sometimes(lambda rng: f"+1303555{rng.randint(0, 9999):04d}")),
        text("city", sometimes(_CITY)),
        text("zip", sometimes(lambda rng: f"{rng.randint(501, 99950):05d}")),
        text("notes", sometimes(_NOTE, 0.4)),
        select("lifecyclestage", "lead", "marketingqualifiedlead", "opportunity", "customer"),
        checkboxes("interests", "roof", "windows", "siding", "solar"),
        flag("is_homeowner"),
        number("lead_score", sometimes(lambda rng: f"{rng.random() * 100:.4f}")),
        number("num_visits", sometimes(whole(0, 400))),
        Prop("move_in_date", "date", "date", sometimes(day, 0.5)),
        Prop("last_contacted", "datetime", "date", sometimes(moment, 0.6)),
    ),
    "companies": (
        *_common("hs_lastmodifieddate"),
        text("name", lambda rng: f"{_LAST(rng)} {_TRADE(rng)}"),
        assigned("domain"),
        text("city", sometimes(_CITY)),
        select("industry", "CONSTRUCTION", "REAL_ESTATE", "RETAIL"),
        number("annualrevenue", sometimes(money(50_000, 9_000_000), 0.6)),
        number("numberofemployees", sometimes(whole(1, 900))),
        flag("is_public"),
        Prop("founded_on", "date", "date", sometimes(day, 0.4)),
    ),
    "deals": (
        *_common("hs_lastmodifieddate"),
        text("dealname", lambda rng: f"{_LAST(rng)} - {_TRADE(rng).lower()}"),
        number("amount", sometimes(money(500, 60_000), 0.9)),
        Prop("closedate", "datetime", "date", sometimes(moment)),
        select("pipeline", "default"),
        select("dealstage", "appointmentscheduled", "contractsent", "closedwon", "closedlost"),
        number("hs_deal_stage_probability", one_of("0.2", "0.8", "1", "0")),
        flag("hs_is_closed"),
    ),
    "line_items": (
        *_common("hs_lastmodifieddate"),
        text("name", lambda rng: f"{_TRADE(rng)}, item"),
        number("quantity", whole(1, 40)),
        number("price", money(5, 900)),
        assigned("amount", "number", "number"),
        assigned("hs_product_id", "number", "number"),
        number("hs_discount_percentage", sometimes(one_of("2.5", "10", "0"), 0.3)),
    ),
    "products": (
        *_common("hs_lastmodifieddate"),
        text("name", lambda rng: f"{_TRADE(rng)}, {rng.choice('ABCDEF')}{rng.randint(1, 99)}"),
        text("description", sometimes(_NOTE, 0.5)),
        number("price", money(5, 900)),
        text("hs_sku", lambda rng: f"W-{rng.randint(100, 999)}"),
    ),
    "tickets": (
        *_common("hs_lastmodifieddate"),
        text("subject", one_of("Leak", "Broken pane", "Invoice", "Reschedule")),
        text("content", sometimes(_NOTE)),
        select("hs_pipeline", "0"),
        select("hs_pipeline_stage", "1", "2", "3", "4"),
        select("hs_ticket_priority", "LOW", "MEDIUM", "HIGH"),
        checkboxes("hs_ticket_category", "PRODUCT_ISSUE", "BILLING_ISSUE", "GENERAL_INQUIRY"),
        Prop("closed_date", "datetime", "date", sometimes(moment, 0.3)),
    ),
}

# What comes back when no properties are requested.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "contacts": (
        "firstname",
        "lastname",
        "email",
        "createdate",
        "lastmodifieddate",
        "hs_object_id",
    ),
    "companies": ("name", "domain", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    "deals": (
        *("dealname", "amount", "closedate", "pipeline", "dealstage"),
        *("createdate", "hs_lastmodifieddate", "hs_object_id"),
    ),
    "line_items": (
        *("quantity", "amount", "price", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    ),
    "products": (
        *("name", "description", "price", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    ),
    "tickets": (
        *("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_category"),
        *("hs_ticket_priority", "createdate", "hs_lastmodifieddate", "hs_object_id"),
    ),
}

MODIFIED = dict.fromkeys(PROPERTIES, "hs_lastmodifieddate") | {"contacts": "lastmodifieddate"}

# A type's number works in paths as its name does.
ALIASES = {
    "0-1": "contacts",
    "0-2": "companies",
    "0-3": "deals",
    "0-5": "tickets",
    "0-7": "products",
    "0-8": "line_items",
    "contact": "contacts",
    "company": "companies",
    "deal": "deals",
    "ticket": "tickets",
    "product": "products",
    "line_item": "line_items",
}

FIRST_IDS = {
    "contacts": 33451,
    "companies": 9087484,
    "deals": 21678228008,
    "line_items": 5501,
    "products": 77,
    "tickets": 1890,
}

SCOPES = {kind: f"crm.objects.{kind}.read" for kind in (*PROPERTIES, "owners")} | {
    "tickets": "tickets"
}


@dataclass(frozen=True)
class LinkType:
    """A kind of association, seen from one side."""

    category: str
    type_id: int
    label: str | None = None

    def as_json(self) -> dict[str, object]:
        return {"category": self.category, "typeId": self.type_id, "label": self.label}


def _default(type_id: int, label: str | None = None) -> LinkType:
    return LinkType("HUBSPOT_DEFINED", type_id, label)


# The plain association of two types, from either side.
LINKS: dict[tuple[str, str], tuple[LinkType, LinkType]] = {
    ("contacts", "companies"): (_default(279), _default(280)),
    ("contacts", "deals"): (_default(4), _default(3)),
    ("contacts", "tickets"): (_default(15), _default(16)),
    ("companies", "deals"): (_default(342), _default(341)),
    ("companies", "tickets"): (_default(25), _default(26)),
    ("deals", "line_items"): (_default(19), _default(20)),
    ("deals", "tickets"): (_default(27), _default(28)),
}
PRIMARY_COMPANY = (_default(1, "Primary"), _default(2, "Primary"))
DECISION_MAKER = (
    LinkType("USER_DEFINED", 37, "Decision maker"),
    LinkType("USER_DEFINED", 38, "Decision maker"),
)


def extra_properties(count: int) -> tuple[Prop, ...]:
    """Custom properties with long names, as grown portals have them by the hundred."""
    return tuple(
        text(f"custom_property_with_a_rather_long_name_{n:04d}", sometimes(whole(0, 9), 0.3))
        for n in range(count)
    )
