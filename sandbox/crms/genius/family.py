"""A prospect with everything that belongs to it: people, leads, appointments, job, change orders."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from sandbox.crms.genius.company import DIVISIONS, IN_USE, SOURCES, Sizes
from sandbox.crms.genius.draft import Draft
from sandbox.crms.genius.names import FIRST_NAMES, LAST_NAMES, NOTES, PLACES, address, phone

SOLD = 1  # appointment.complete_outcome_id
_WORK_HOURS = range(9, 19)


@dataclass
class Family:
    """Makes one prospect's rows into a draft; ``at`` is when the prospect was added."""

    draft: Draft
    rng: Random
    sizes: Sizes
    at: datetime
    settled: bool = True  # False: everything happened just now

    def add(self) -> None:
        self.first, self.last = self.rng.choice(FIRST_NAMES), self.rng.choice(LAST_NAMES)
        self.home, self.phone = address(self.rng), phone(self.rng)
        self.email = f"customer{self.rng.randrange(10**9)}@example.com"
        self.prospect_id = self._prospect()
        self.source_id = self._source()
        self._people()
        for _ in range(self.rng.choice((1, 1, 1, 2))):
            self._lead()
        if self.rng.random() < 0.7:
            self._visit()
        if self.rng.random() < 0.4:
            self._task(job_id=None)
        if self.prospect_id % 4 == 0:
            self._marketsharp()

    def _user(self) -> int:
        return self.rng.randint(1, self.sizes.users)

    def _later(self, days: int) -> datetime:
        """Some time after ``at``; ``at`` itself where nothing is settled yet."""
        seconds = self.rng.randrange(3600, days * 86_400) if self.settled else 0
        return self.at + timedelta(seconds=seconds)

    def _money(self, low: int, high: int) -> Decimal:
        return Decimal(self.rng.randrange(low * 100, high * 100)) / 100

    def _note(self) -> str:
        return self.rng.choice(NOTES)

    def _marketing_source(self) -> int:
        return self.rng.randint(1, len(SOURCES))

    def _prospect(self) -> int:
        counties = {place.zip: place.county for place in PLACES}
        return self.draft.add(
            "prospect",
            division_id=self.rng.randint(1, DIVISIONS),
            user_id=self._user(),
            status_id=self.rng.randint(1, IN_USE["prospect_status"]),
            type_id=self.rng.randint(1, IN_USE["prospect_type"]),
            first_name=self.first,
            last_name=self.last,
            **self.home,
            county=counties[self.home["zip"] or ""],
            year_built=self.rng.randrange(1890, 2022),
            phone1=self.phone,
            email=self.email,
            notes=self._note(),
            add_user_id=self._user(),
            add_date=self.at,
            updated_at=self._later(30),
        )

    def _source(self) -> int:
        return self.draft.add(
            "prospect_source",
            prospect_id=self.prospect_id,
            marketing_source_id=self._marketing_source(),
            source_date=self.at.date(),
            add_user_id=self._user(),
            add_date=self.at,
            source_user_id=self._user(),
            updated_at=self._later(3),
        )

    def _people(self) -> None:
        for number in range(self.rng.choice((1, 1, 2))):
            self.draft.add(
                "contact",
                prospect_id=self.prospect_id,
                first_name=self.first if number == 0 else self.rng.choice(FIRST_NAMES),
                last_name=self.last,
                relation="owner" if number == 0 else "spouse",
                phone=self.phone,
                email=self.email if number == 0 else None,
                is_primary=number == 0,
                may_text=self.rng.random() < 0.5,
                add_date=self.at,
                updated_at=self._later(10),
            )

    def _lead(self) -> None:
        touched = self.rng.random() < 0.8
        self.draft.add(
            "lead",
            division=self.rng.randint(1, DIVISIONS),
            first_name=self.first,
            last_name=self.last,
            **self.home,
            email=self.email,
            phone1=self.phone,
            type1=1,
            source=self._marketing_source(),
            source_notes=self._note(),
            sourced_on=self.at,
            job_type=self.rng.choice(("windows", "siding", "roof")),
            rating=self.rng.randint(1, 5),
            status=self.rng.randint(1, 9),
            added_by=self._user(),
            added_on=self.at,
            lead_cost=self._money(5, 120),
            marketing_source=self._marketing_source(),
            prospect_id=self.prospect_id,
            salesrabbit_lead_id=self.rng.randrange(2**33, 2**34),
            latitude=self.rng.uniform(30, 43),
            longitude=self.rng.uniform(-98, -71),
            is_homeowner=self.rng.random() < 0.8,
            # A lead that nobody has touched has no updated_at.
            updated_at=self._later(20) if touched and self.settled else None,
        )

    def _visit(self) -> None:
        outcome = self.rng.choice((SOLD, SOLD, 2, 3, None)) if self.settled else None
        added = self._later(5)
        self.draft.add(
            "appointment",
            prospect_id=self.prospect_id,
            prospect_source_id=self.source_id,
            user_id=self._user(),
            type_id=self.rng.randint(1, 4),
            date=(added + timedelta(days=3)).date(),
            time=time(self.rng.choice(_WORK_HOURS), self.rng.choice((0, 15, 30, 45))),
            duration=self.rng.choice((60, 90, 120)),
            **self.home,
            email=self.email,
            notes=self._note(),
            add_user_id=self._user(),
            add_date=added,
            assign_date=added,
            spouses_present=self.rng.choice((0, 1, 2)),
            is_complete=outcome is not None,
            complete_outcome_id=outcome,
            complete_date=added + timedelta(days=3) if outcome else None,
            updated_at=added + timedelta(days=3) if outcome else added,
        )
        if outcome == SOLD:
            self._job(added + timedelta(days=3))

    def _job(self, sold: datetime) -> None:
        value = self._money(3_000, 45_000)
        job_id = self.draft.add(
            "job",
            client_cid=f"{self.prospect_id:07}",
            prospect_id=self.prospect_id,
            division_id=self.rng.randint(1, DIVISIONS),
            user_id=self._user(),
            status=self.rng.randint(1, 14),
            service_id=self.rng.randint(1, 5),
            contract_number=f"NSH-{sold:%y}-{self.prospect_id:04}",
            contract_date=sold.date(),
            start_date=(sold + timedelta(days=20)).date(),
            contract_amount=value,
            job_value=value,
            deposit_amount=(value / 3).quantize(Decimal("0.01")),
            sold_user_id=self._user(),
            sold_date=sold,
            square_feet=self.rng.uniform(100, 4_000),
            is_financed=self.rng.random() < 0.4,
            production_notes=self._note(),
            add_user_id=self._user(),
            add_date=sold,
            updated_at=sold + timedelta(hours=self.rng.randrange(500)),
        )
        self._task(job_id=job_id)
        for number in range(self.rng.choice((0, 0, 1, 2))):
            self._job_change_order(job_id, number + 1, value, sold)
        if self.rng.random() < 0.3:
            self._change_order(job_id, sold)

    def _job_change_order(self, job_id: int, number: int, before: Decimal, sold: datetime) -> None:
        added = sold + timedelta(days=number * 5)
        amounts = [self._money(50, 2_000) for _ in range(self.rng.randint(1, 3))]
        envelope = f"{self.rng.getrandbits(96):024x}"
        order_id = self.draft.add(
            "job_change_order",
            job_id=job_id,
            number=f"{number:03}",
            status_id=self.rng.randint(1, 4),
            type_id=self.rng.randint(1, 3),
            effective_date=added.date(),
            total_amount=sum(amounts),
            total_pre_change_orders_amount=before,
            total_contract_amount=before + sum(amounts),
            add_user_id=self._user(),
            add_date=added,
            envelope_id=envelope,
            envelope_digest=hashlib.sha256(envelope.encode()).digest(),
            signer_name=f"{self.first} {self.last}",
            signer_email=self.email,
            updated_at=added,
        )
        for amount in amounts:
            self.draft.add(
                "job_change_order_item",
                change_order_id=order_id,
                description=f"Extra work, {self._note()}".strip(", "),
                amount=amount,
                created_at=added,
                updated_at=added,
            )

    def _change_order(self, job_id: int, sold: datetime) -> None:
        at = sold + timedelta(days=2)
        price, quantity = self._money(20, 500), Decimal(self.rng.randrange(500, 8_000)) / 1000
        amount = (price * quantity).quantize(Decimal("0.01"))
        order_id = self.draft.add(
            "change_order",
            job_id=job_id,
            prospect_id=self.prospect_id,
            requested_by_user_id=self._user(),
            number=f"CO-{job_id:05}",
            status=self.rng.choice(("requested", "approved", "declined")),
            requested_on=at.date(),
            total_amount=amount,
            reason=self._note(),
            updated_at=at,
        )
        self.draft.add(
            "change_order_item",
            change_order_id=order_id,
            position=1,
            description="Trim",
            quantity=quantity,
            unit_price=price,
            amount=amount,
            updated_at=at,
        )

    def _task(self, *, job_id: int | None) -> None:
        at = self._later(15)
        done = self.settled and self.rng.random() < 0.6
        self.draft.add(
            "task",
            task_type_id=self.rng.randint(1, IN_USE["task_type"]),
            workflow_step_id=self.rng.randint(1, self.sizes.workflow_steps),
            prospect_id=self.prospect_id,
            job_id=job_id,
            assigned_user_id=self._user(),
            title="Measure" if job_id else "Call back",
            description=self._note(),
            due_at=at + timedelta(days=2),
            completed_at=at + timedelta(days=1) if done else None,
            is_complete=done,
            updated_at=at + timedelta(days=1) if done else at,
        )

    def _marketsharp(self) -> None:
        at = self._later(8)
        common: dict[str, Any] = {"active": True, "created_at": at, "updated_at": at}
        source, external = self._marketing_source(), f"{self.rng.getrandbits(64):016x}"
        contact_id = self.draft.add(
            "marketsharp_contacts",
            external_id=f"c-{external}",
            first_name=self.first,
            last_name=self.last,
            email=self.email,
            phone=self.phone,
            address_1=self.home["address1"],
            city=self.home["city"],
            state=self.home["state"],
            zip=self.home["zip"],
            marketing_source_id=source,
            prospect_source_id=self.source_id,
            lead_status="Set",
            appointment_date=at.date(),
            appointment_time=time(self.rng.choice(_WORK_HOURS), 30),
            **common,
        )
        self.draft.add(
            "marketsharp_leads",
            external_id=f"l-{external}",
            contact_id=contact_id,
            marketing_source_id=source,
            lead_status="Set",
            product_interest="windows",
            inquiry_date=self.at.date(),
            **common,
        )
        self.draft.add(
            "marketsharp_appointments",
            external_id=f"a-{external}",
            contact_id=contact_id,
            appointment_date=at.date(),
            appointment_time=time(self.rng.choice(_WORK_HOURS), 30),
            appointment_type_id=self.rng.randint(1, 4),
            salesperson_id=self._user(),
            lead_source=SOURCES[source - 1],
            marketing_source_id=source,
            appointment_status="Scheduled",
            **common,
        )
