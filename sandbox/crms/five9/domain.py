"""The contacts of a made-up Five9 domain, as texts in the formats that its fields declare."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Los_Angeles")
FIRST_DAY = datetime(2026, 1, 5, 16, tzinfo=UTC)
NAMES = ("Dana", "Sam", "Pat", "José", "Zoë", "Ann-Marie", "Liam", "Noor", "Mia", "D'Arcy")
FAMILIES = (
    "Reyes",
    "Lee",
    "O'Neil",
    "Núñez",
    "Smith",
    "van Dyk",
    "Roe",
    "Kim",
    "Ng",
    "<Test & Co>",
)
CITIES = (
    ("Franklin", "TN", "37064"),
    ("Boston", "MA", "02108"),
    ("Denver", "CO", "80202"),
    ("Newark", "NJ", "07102"),
)
AREAS = ("615", "617", "303", "973", "201")
LISTS = ("Web Leads 2026", "Events", "Re-Dial 100%", "No Answer")
CAMPAIGNS = ("Web Leads", "Events")
AGENTS = ("agent7@example.com", "agent12@example.com")
DISPOSITIONS = ("Appointment Set", "No Answer", "Do Not Call", "Callback")
STATUSES = ("New", "Working", "Set", "Sold", "Dead")

Values = dict[str, str | None]


@dataclass(frozen=True)
class Field:
    """``restrictions`` e.g. {"DateFormat": "yyyy-MM-dd"}."""

    name: str
    type: str = "STRING"
    maps: str = "None"
    restrictions: dict[str, str] = field(default_factory=dict)
    is_system: bool = False


TIMESTAMP = {"DateFormat": "yyyy-MM-dd", "TimeFormat": "HH:mm:ss.SSS"}
FIELDS = (
    Field("number1", "PHONE", is_system=True),
    Field("number2", "PHONE", is_system=True),
    Field("number3", "PHONE", is_system=True),
    Field("first_name", is_system=True),
    Field("last_name", is_system=True),
    Field("company", is_system=True),
    Field("street", is_system=True),
    Field("city", is_system=True),
    Field("state", is_system=True),
    Field("zip", is_system=True),
    Field("email", "EMAIL"),
    Field("sys_created_date", "DATE_TIME", "CreatedDateTime", TIMESTAMP),
    Field("sys_last_agent", maps="LastAgent"),
    Field("sys_last_disposition", maps="LastDisposition"),
    Field("sys_last_disposition_time", "DATE_TIME", "LastDispositionDateTime", TIMESTAMP),
    Field("last_campaign", maps="LastCampaign"),
    Field("attempts", "NUMBER", "AttemptsForLastCampaign", {"Scale": "0", "MinValue": "0"}),
    Field("last_list", maps="LastList"),
    Field("Lead Status", restrictions={"Set": "New"}),
    Field("Appointment Date and Time", "DATE_TIME"),
    Field("HubSpot_ContactID"),
    Field("Last Modified", "DATE_TIME", "LastModifiedDateTime", TIMESTAMP),
    Field("Birth Date", "DATE", restrictions={"DateFormat": "MM/dd/yyyy"}),
    Field("Best Time to Call", "TIME", restrictions={"TimeFormat": "hh:mm a"}),
    Field("Deal Value", "CURRENCY", restrictions={"CurrencyType": "$", "Scale": "2"}),
    Field("Close Rate", "PERCENT"),
    Field("Score", "NUMBER", restrictions={"Precision": "6", "Scale": "2"}),
    Field("Opted In", "BOOLEAN"),
    Field("Website", "URL"),
    Field("Talk Time", "TIME_PERIOD", restrictions={"TimePeriodFormat": "hh:mm:ss"}),
)


@dataclass
class StoredContact:
    """``modified`` is what the report of changed contacts goes by."""

    id: str
    values: Values
    modified: datetime

    def touch(self, at: datetime) -> None:
        self.modified = at
        self.values["Last Modified"] = in_words(at)


class Domain:
    """``rows`` contacts; the same seed and the same ticks give the same ones."""

    def __init__(self, *, seed: int, rows: int) -> None:
        self._seed = seed
        self._last_id = 48_213_000
        self.contacts: dict[str, StoredContact] = {}
        draw = random.Random(f"five9 {seed}")
        for row in range(rows):
            self._add(draw, FIRST_DAY + timedelta(minutes=7 * row))

    def tick(self, at: datetime) -> dict[str, int]:
        draw = random.Random(f"five9 {self._seed} {at.isoformat()}")
        share = max(1, len(self.contacts) // 20)
        chosen = draw.sample(sorted(self.contacts), min(2 * share, len(self.contacts)))
        gone, changed = chosen[: share // 2 or 1], chosen[share // 2 or 1 :]
        for contact_id in gone:
            del self.contacts[contact_id]
        for contact_id in changed:
            self._call_again(self.contacts[contact_id], draw, at)
        for _ in range(share):
            self._add(draw, at)
        return {"created": share, "updated": len(changed), "deleted": len(gone)}

    def add(self, values: Values, at: datetime = FIRST_DAY) -> StoredContact:
        """A contact with these values and no others."""
        self._last_id += 377
        empty: Values = {f.name: None for f in FIELDS}
        contact = StoredContact(str(self._last_id), empty | values, at)
        self.contacts[contact.id] = contact
        return contact

    def _add(self, draw: random.Random, at: datetime) -> None:
        contact = self.add(_numbers(draw) | _person(draw) | _extras(draw, at), at)
        contact.values["sys_created_date"] = in_words(at)
        contact.touch(at)
        if draw.random() < 0.7:
            self._call_again(contact, draw, at)

    def _call_again(self, contact: StoredContact, draw: random.Random, at: datetime) -> None:
        attempts = int(contact.values["attempts"] or 0)
        contact.values |= {
            "attempts": str(attempts + 1),
            "sys_last_agent": draw.choice((*AGENTS, None)),
            "sys_last_disposition": draw.choice(DISPOSITIONS),
            "sys_last_disposition_time": in_words(at),
            "last_campaign": draw.choice(CAMPAIGNS),
            "Lead Status": draw.choice(STATUSES),
        }
        contact.touch(at)


def in_words(moment: datetime) -> str:
    """``2026-01-08 09:12:44.000`` in the domain's zone."""
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _numbers(draw: random.Random) -> Values:
    kind = draw.random()
    usual = _phone(draw)
    if kind < 0.03:
        return {"number1": None, "number2": usual}
    if kind < 0.04:
        return {"number1": "", "number3": usual}
    if kind < 0.06:
        return {"number1": f"01144{draw.randrange(10**9, 10**10)}"}
    if kind < 0.07:
        return {"number1": f"+44{draw.randrange(10**9, 10**10)}"}
    return {"number1": usual, "number2": _phone(draw) if draw.random() < 0.2 else None}


def _phone(draw: random.Random) -> str:
    return f"{draw.choice(AREAS)}555{draw.randrange(10_000):04d}"


def _person(draw: random.Random) -> Values:
    first, last = draw.choice(NAMES), draw.choice(FAMILIES)
    city, state, zip_code = draw.choice(CITIES)
    return {
        "first_name": first,
        "last_name": last,
        "company": draw.choice((None, "", "Elm & Sons")),
        "street": f"{draw.randrange(1, 999)} Elm St",
        "city": city,
        "state": state,
        "zip": zip_code,
        "email": None if draw.random() < 0.1 else f"{draw.randrange(10**6)}@example.com",
    }


def _extras(draw: random.Random, at: datetime) -> Values:
    born = date(1950, 1, 1) + timedelta(days=draw.randrange(18_000))
    hour, half = draw.randrange(1, 13), draw.choice(("AM", "PM"))
    return {
        "attempts": "0",
        "last_list": draw.choice((*LISTS, None)),
        "Lead Status": "New",
        "Appointment Date and Time": in_words(at + timedelta(days=3)) if hour < 4 else None,
        "HubSpot_ContactID": f"00{draw.randrange(10**6)}" if hour < 7 else "",
        "Birth Date": f"{born:%m/%d/%Y}",
        "Best Time to Call": f"{hour:02d}:{draw.choice(('00', '30'))} {half}",
        "Deal Value": f"${draw.randrange(1, 90):,},{draw.randrange(1000):03d}.50",
        "Close Rate": f"{draw.randrange(1000) / 10}%",
        "Score": f"{draw.randrange(10_000) / 100}",
        "Opted In": draw.choice(("true", "false", None)),
        "Website": draw.choice((None, "https://example.com/?a=1&b=2")),
        "Talk Time": f"00:{draw.randrange(60):02d}:15",
    }
