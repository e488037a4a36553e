"""Draws the data of the account from the seed: people, companies, deals, tickets, and their changes.

The same seed and the same ticks give the same account.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox.crms.hubspot.catalog import (
    BEGIN,
    DECISION_MAKER,
    FIRST_IDS,
    PRIMARY_COMPANY,
    PROPERTIES,
    YEARS,
    Prop,
    iso,
)
from sandbox.crms.hubspot.portal import Item, Key, Portal

FIRST_OWNER_ID = 910901
MILLISECOND = timedelta(milliseconds=1)


@dataclass
class DataGenerator:
    """``rows``: how many contacts the account begins with."""

    portal: Portal
    seed: int
    rows: int
    extra: tuple[Prop, ...] = ()
    _next_ids: dict[str, int] = field(default_factory=lambda: dict(FIRST_IDS))
    _made: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in PROPERTIES})
    _rng: random.Random = field(default_factory=random.Random)

    def begin(self) -> None:
        """The account before any tick: a few records are archived already."""
        self._rng = random.Random(f"hubspot {self.seed}")
        for _ in range(max(3, min(40, self.rows // 20))):
            self._add_owner(BEGIN)
        self._deactivate_owner(BEGIN + timedelta(days=30))
        for _ in range(max(4, min(60, self.rows // 8))):
            self._add("products", self._some_time())
        for _ in range(max(1, self.rows // 4)):
            self._add_company(self._some_time())
        for _ in range(self.rows + self._share(self.rows, 100)):
            self._add_contact(self._some_time())
        self._archive_some("contacts", self._share(self.rows, 100), BEGIN + YEARS)
        self.portal.begin()

    def tick(self, at: datetime) -> dict[str, int]:
        """New, changed and archived records, and other associations, as of ``at``."""
        self._rng = random.Random(f"hubspot {self.seed} {iso(at)}")
        at -= timedelta(microseconds=at.microsecond % 1000)  # HubSpot stores milliseconds
        self.portal.begin()
        self._change_some(at)
        self._move_some(at)
        for kind in PROPERTIES:
            self._archive_some(kind, self._share(len(self.portal.items[kind]), 100), at)
        for _ in range(self._share(self.rows, 50)):
            self._add_contact(at, at=at)
        self._add("products", at)
        self._change_owners(at)
        return self.portal.changes.counts()

    def _share(self, count: int, divisor: int) -> int:
        return max(1, count // divisor)

    def _some_time(self) -> datetime:
        return BEGIN + self._rng.randrange(YEARS // MILLISECOND) * MILLISECOND

    def _add(self, kind: str, created: datetime, **values: str | None) -> Key:
        item_id = self._next_ids[kind]
        self._next_ids[kind] += self._rng.randint(1, 3)
        self._made[kind].append(item_id)
        drawn = {p.name: p.draw(self._rng) for p in (*PROPERTIES[kind], *self.extra) if p.draw}
        owner = self._rng.choice(self.portal.owners)["id"]
        updated = max(created, self._some_time()) if created < BEGIN + YEARS else created
        properties = {"hubspot_owner_id": owner, **drawn, **values}
        self.portal.add(kind, Item(item_id, properties, created, updated))
        return kind, item_id

    def _add_company(self, created: datetime) -> Key:
        return self._add("companies", created, domain=f"c{self._next_ids['companies']}.example.com")

    def _add_contact(self, created: datetime, *, at: datetime | None = None) -> None:
        email = f"c{self._next_ids['contacts']}@example.com"
        contact = self._add("contacts", created, email=email)
        company = self._any("companies")
        if company and self._rng.random() < 0.85:
            self.portal.link(contact, company, PRIMARY_COMPANY, at=at)
        if self._rng.random() < 0.6:
            self._add_deal(created, contact, company, at=at)
        if self._rng.random() < 0.2:
            self._add_ticket(created, contact, company, at=at)

    def _add_deal(
        self, created: datetime, contact: Key, company: Key | None, *, at: datetime | None
    ) -> None:
        deal = self._add("deals", created)
        labels = (DECISION_MAKER,) if self._rng.random() < 0.3 else ()
        self.portal.link(contact, deal, *labels, at=at)
        if company:
            self.portal.link(company, deal, at=at)
        for _ in range(self._rng.randint(1, 3)):
            self._add_line_item(created, deal, at=at)

    def _add_line_item(self, created: datetime, deal: Key, *, at: datetime | None) -> None:
        product = self._any("products")
        quantity, cents = self._rng.randint(1, 40), self._rng.randint(500, 90_000)
        line_item = self._add(
            "line_items",
            created,
            hs_product_id=str(product[1]) if product else None,
            quantity=str(quantity),
            price=f"{cents / 100:.2f}",
            amount=f"{quantity * cents / 100:.2f}",
        )
        self.portal.link(deal, line_item, at=at)

    def _add_ticket(
        self, created: datetime, contact: Key, company: Key | None, *, at: datetime | None
    ) -> None:
        ticket = self._add("tickets", created)
        self.portal.link(contact, ticket, at=at)
        if company:
            self.portal.link(company, ticket, at=at)
        deals = sorted(self.portal.linked(contact, "deals"))
        if deals:
            self.portal.link(("deals", deals[0]), ticket, at=at)

    def _any(self, kind: str) -> Key | None:
        """A record that is not archived; a few draws find one, as few are archived."""
        for _ in range(20):
            made = self._made[kind]
            if made and (item_id := self._rng.choice(made)) in self.portal.items[kind]:
                return kind, item_id
        return None

    def _some(self, kind: str, count: int) -> Sequence[int]:
        ids = list(self.portal.items[kind])
        return self._rng.sample(ids, min(count, len(ids)))

    def _change_some(self, at: datetime) -> None:
        for kind, props in PROPERTIES.items():
            drawn = [p for p in props if p.draw]
            for item_id in self._some(kind, self._share(len(self.portal.items[kind]), 30)):
                prop = self._rng.choice(drawn)
                assert prop.draw is not None
                self.portal.change(kind, item_id, at, **{prop.name: prop.draw(self._rng)})

    def _move_some(self, at: datetime) -> None:
        """Contacts go to another company, and deals lose a line item."""
        for contact_id in self._some("contacts", self._share(self.rows, 50)):
            contact = ("contacts", contact_id)
            for company_id in list(self.portal.linked(contact, "companies")):
                self.portal.unlink(contact, ("companies", company_id), at=at)
            if company := self._any("companies"):
                self.portal.link(contact, company, PRIMARY_COMPANY, at=at)
        for deal_id in self._some("deals", self._share(self.rows, 100)):
            for item_id in list(self.portal.linked(("deals", deal_id), "line_items"))[:1]:
                self.portal.unlink(("deals", deal_id), ("line_items", item_id), at=at)

    def _archive_some(self, kind: str, count: int, at: datetime) -> None:
        """Never the last ones."""
        if len(self.portal.items[kind]) > count + 1:
            for item_id in self._some(kind, count):
                self.portal.archive(kind, item_id, at)

    def _add_owner(self, at: datetime) -> None:
        number = len(self.portal.owners)
        team = {"id": str(178588 + number % 3), "name": f"Team {number % 3 + 1}", "primary": True}
        owner = {
            "id": str(FIRST_OWNER_ID + number),
            "email": f"rep{number}@example.com",
            "type": "QUEUE" if number % 10 == 9 else "PERSON",
            "firstName": "Sam",
            "lastName": f"Roe {number}",
            "userId": 4455 + number,
            "userIdIncludingInactive": 4455 + number,
            "createdAt": iso(at),
            "updatedAt": iso(at),
            "archived": False,
            "teams": [team],
        }
        self.portal.owners.append(owner)
        self.portal.changes.created.add(("owners", FIRST_OWNER_ID + number))

    def _deactivate_owner(self, at: datetime) -> None:
        """An archived owner has no user any more."""
        active = [owner for owner in self.portal.owners if not owner["archived"]]
        if len(active) < 3:
            return
        owner = self._rng.choice(active)
        owner |= {"archived": True, "updatedAt": iso(at), "userId": None}
        self.portal.changes.archived.add(("owners", int(owner["id"])))

    def _change_owners(self, at: datetime) -> None:
        self._add_owner(at)
        active = [owner for owner in self.portal.owners if not owner["archived"]]
        changed = self._rng.choice(active)
        changed |= {"lastName": f"Roe {self._rng.randint(1, 9999)}", "updatedAt": iso(at)}
        self.portal.changes.touched.add(("owners", int(changed["id"])))
        self._deactivate_owner(at)
