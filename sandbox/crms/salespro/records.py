"""SalesPro's records: customers, their jobs in stages, proposals, appointments, users."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 1, 8, 14, 15, 2, tzinfo=UTC)
STAGES = (("1537", "Lead"), ("1538", "Estimate"), ("1539", "Contract Signed"), ("1540", "Paid"))
TRADES = ({"id": 11, "name": "Windows"}, {"id": 12, "name": "Roofing"})
PEOPLE = (("Dana", "Reyes"), ("Zoë", "O'Neil"), ("José", "Lee"))
FIRST_ID = {"customers": 9000, "jobs": 20_000, "proposals": 500, "appointments": 700, "users": 30}

Row = dict[str, Any]


def text(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


class Records:
    """``rows`` customers with about as many jobs; changed by ``tick``."""

    def __init__(self, seed: int, rows: int) -> None:
        self._random = random.Random(f"salespro {seed}")
        self._made = dict(FIRST_ID)
        self._few = max(1, rows // 20)
        self.lists: dict[str, dict[int, Row]] = {name: {} for name in FIRST_ID}
        for _ in range(max(2, rows // 20)):
            self._add("users", self._user(BEGIN))
        for number in range(rows):
            self._add_customer(BEGIN + timedelta(minutes=53 * number))

    def in_lead_stage(self) -> Iterator[Row]:
        return (
            job for job in self.lists["jobs"].values() if job["current_stage"]["name"] == "Lead"
        )

    def tick(self, at: datetime) -> dict[str, int]:
        """Jobs move on to the next stage; some of every list are new, changed and gone."""
        changed = 0
        for name in ("customers", "jobs", "proposals", "appointments"):
            rows = self.lists[name]
            drawn = self._random.sample(sorted(rows), min(self._few + 1, len(rows)))
            del rows[drawn[0]]
            for number in drawn[1:]:
                rows[number] |= {**self._change(name, at), "updated_at": text(at)}
                changed += 1
        for _ in range(self._few):
            self._add_customer(at)
        return {"created": self._few, "updated": changed, "deleted": 4}

    def _change(self, name: str, at: datetime) -> Row:
        match name:
            case "jobs":
                return {"current_stage": self._stage(), "stage_last_modified": text(at)}
            case "customers":
                return {"email": f"new{at:%H%M%S}@example.com"}
            case "appointments":
                return {"is_completed": True, "result": [{"name": "Sold"}]}
        return {"status": "accepted"}

    def _add(self, name: str, row: Row) -> int:
        self._made[name] += 1
        number = self._made[name]
        self.lists[name][number] = {"id": number, **row}
        return number

    def _add_customer(self, at: datetime) -> None:
        customer = self._add("customers", self._customer(at))
        job = self._add("jobs", self._job(customer, at))
        if self._random.random() < 0.6:
            self._add(
                "proposals", {"job_id": job, "title": "Windows", "status": "draft", **_made(at)}
            )
        if self._random.random() < 0.6:
            self._add("appointments", self._appointment(customer, at))

    def _user(self, at: datetime) -> Row:
        first, last = self._random.choice(PEOPLE)
        return {
            "first_name": first,
            "last_name": last,
            "email": f"{first}@example.com".lower(),
            "group": {"data": {"id": 5, "name": "standard"}},
            "active": True,
            **_made(at),
        }

    def _customer(self, at: datetime) -> Row:
        first, last = self._random.choice(PEOPLE)
        phone = f"0{self._random.randrange(10**9):09d}"
        zip_code = self._random.choice(("02108", "37064"))
        return {
            "first_name": first,
            "last_name": last,
            "company_name": None,
            "email": f"c{self._random.randrange(10**6)}@example.com",
            "phones": [{"label": "cell", "number": phone}],
            "address": {"data": {"city": "Franklin", "zip": zip_code}},
            "referred_by_type": self._random.choice((None, "customer")),
            **_made(at),
        }

    def _stage(self) -> Row:
        code, name = self._random.choice(STAGES)
        return {"name": name, "code": code}

    def _job(self, customer: int, at: datetime) -> Row:
        price = self._random.randrange(1000, 40_000)
        return {
            "customer_id": customer,
            "number": f"2601-{customer:04d}-01",
            "name": "Windows - 8 openings",
            "division_id": self._random.choice((None, 3)),
            "trades": {"data": [self._random.choice(TRADES)]},
            "current_stage": self._stage(),
            "stage_last_modified": text(at),
            "contract_signed_date": self._random.choice((None, f"{at:%Y-%m-%d}")),
            "financial_details": {"data": {"total_job_price": price, "total_amount_owed": 0.5}},
            **_made(at),
        }

    def _appointment(self, customer: int, at: datetime) -> Row:
        start = at + timedelta(days=self._random.randrange(1, 30))
        return {
            "title": "Measure",
            "customer_id": customer,
            "start_date_time": text(start),
            "end_date_time": text(start + timedelta(hours=2)),
            "full_day": False,
            "is_completed": False,
            "result": [],
            "result_option_ids": [],
            **_made(at),
        }


def _made(at: datetime) -> Row:
    return {"created_at": text(at), "updated_at": text(at)}
