"""What the sandbox holds, in the form in which the readers print it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.crms.five9.domain import FIELDS
from sandbox.crms.gsheet import LEADS_ID, LEADS_TAB, SPENDS_ID, SPENDS_TAB, held
from sandbox.crms.salespro import athena

Lists = dict[str, Any]
NUMBER = "hs_object_id"
CONTACT = ("firstname", "lastname", "email", NUMBER)


def hubspot(sandbox: Any) -> Lists:
    portal = sandbox._portal
    contacts = {
        str(i): {n: item.properties.get(n) for n in CONTACT}
        for i, item in portal.items["contacts"].items()
    }
    linked = {
        i: sorted(map(str, portal.linked(("contacts", int(i)), "companies"))) for i in contacts
    }
    linked = {i: companies for i, companies in linked.items() if companies}
    first = str(min(map(int, contacts)))
    return {
        "contacts": contacts,
        "a contact": {first: contacts[first]},
        "owners": {o["id"]: {"email": o["email"]} for o in portal.owners if not o["archived"]},
        "associations (v3)": linked,
        "associations (v4)": linked,
        "search": contacts,
        "properties": {p.name: {"type": p.kind} for p in sandbox._props("contacts")},
    }


def singer(sandbox: Any) -> Lists:
    tickets = sandbox._portal.items["tickets"].items()
    found = hubspot(sandbox)
    contacts = found["contacts"].items()
    return {
        "contacts": {i: {n: v for n, v in c.items() if n != NUMBER} for i, c in contacts},
        "tickets": {str(i): {"subject": item.properties.get("subject")} for i, item in tickets},
        "owners": found["owners"],
    }


def callrail(sandbox: Any) -> Lists:
    names = ("start_time", "value", "lead_status", "company_id", "tracker_id")
    calls = {call["id"]: {n: call[n] for n in names} for call in sandbox._rows["calls"]}
    return {
        "calls": calls,
        "calls by small pages": calls,
        "companies": {c["id"]: {"name": c["name"]} for c in sandbox._rows["companies"]},
        "users": {u["id"]: {"email": u["email"]} for u in sandbox._rows["users"]},
    }


def leads(sandbox: Any) -> Lists:
    rows = sandbox._tabs[LEADS_ID, LEADS_TAB]
    values = [rows[0], *([str(held(cell)) for cell in row] for row in rows[1:])]
    part = [row[1:4] for row in rows[1:5]]
    return {
        "shown": _numbered(_padded(rows)),
        "held": _numbered(_padded(values)),
        "a part": _numbered(part),
        "a column": {"1": [row[1] if row else "" for row in rows]},
    }


def spends(sandbox: Any) -> Lists:
    rows = [_bare(row) for row in sandbox._tabs[SPENDS_ID, SPENDS_TAB]]
    parts = [*rows[:3], *(row[1:3] for row in rows[1:3])]
    return {"shown": _numbered(rows), "several ranges": _numbered(parts)}


def lake(sandbox: Any) -> Lists:
    lists = sandbox._records.lists
    customers = map(athena._customer, lists["customers"].values())
    estimates = map(athena._estimate, lists["jobs"].values())
    return {
        "customer": {row["customer_id"]: row for row in customers},
        "estimate": {row["estimate_id"]: row for row in map(_as_sqlite, estimates)},
        "a wrong secret": {"": "refused"},
    }


def five9(sandbox: Any) -> Lists:
    contacts = sandbox.domain.contacts.values()
    return {
        "fields": {f.name: {"type": f.type} for f in FIELDS},
        "contacts": {c.id: {"contactID": c.id, **_without_empty(c.values)} for c in contacts},
        "an unknown field": {"": 'Contact field "nobody" not found'},
    }


def marketsharp(sandbox: Any) -> Lists:
    people = sandbox._rows["Contacts"]
    names = ("firstName", "lastName", "email1", "isTagged", "yearHomeBuilt")
    jobs = {
        row["id"]: {n: row[n] for n in ("contactId", "number", "zip", "isActive")}
        for row in sandbox._rows["Jobs"]
    }

    def contacts(is_wanted: Callable[[Any], bool] = lambda row: True) -> Lists:
        return {row["id"]: {n: row[n] for n in names} for row in people if is_wanted(row)}

    def is_in_brackets(row: Any) -> bool:
        is_either = row["lastName"] == "O'Neil" or (row["yearHomeBuilt"] or 0) > 2000
        return is_either and row["isActive"]

    return {
        "Contacts": contacts(),
        "Jobs": jobs,
        "a filter": contacts(lambda row: row["firstName"] == "Dana" and not row["isTagged"]),
        "a filter with a bracket": contacts(is_in_brackets),
        "an unknown property": {"": 400},
        "an unknown function": {"": 400},
    }


def _without_empty(values: Mapping[str, str | None]) -> Lists:
    """zeep makes None of an empty element."""
    return {name: value or None for name, value in values.items()}


def _as_sqlite(row: Mapping[str, Any]) -> Lists:
    """The lake is run by SQLite, which has no truth values."""
    return {n: str(int(v)) if isinstance(v, bool) else v for n, v in row.items()}


def _bare(row: list[str]) -> list[str]:
    cut = len(row)
    while cut and not row[cut - 1]:
        cut -= 1
    return row[:cut]


def _padded(rows: list[list[str]]) -> list[list[str]]:
    """gspread fills rows up."""
    width = max(len(_bare(row)) for row in rows)
    return [[*_bare(row), *[""] * (width - len(_bare(row)))] for row in rows]


def _numbered(rows: list[list[str]]) -> Lists:
    return {str(number): row for number, row in enumerate(rows)}
