"""What the company has before any prospect comes: lookups, people, teams, workflows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from sandbox.crms.genius.draft import Draft
from sandbox.crms.genius.names import FIRST_NAMES, LAST_NAMES, phone

FOUNDED = datetime(2023, 6, 1, 8, 0, 0)  # noqa: DTZ001 - naive server time, as the source has it

# Each ends with an entry that nothing points at: what a tick may delete.
LOOKUPS = {
    "prospect_status": ("New", "Contacted", "Set", "Issued", "Sold", "Lost", "Do not call"),
    "prospect_type": ("Residential", "Rental", "Commercial", "Retired entry"),
    "rep_type": ("Canvasser", "Sales", "Confirmer", "Retired entry"),
    "task_type": ("Call back", "Measure", "Order material", "Retired entry"),
    "workflow_step_type": ("Wait", "Task", "E-mail", "Retired entry"),
    "tag_group": ("Product", "Mood", "Retired entry"),
}
IN_USE = {name: len(labels) - 1 for name, labels in LOOKUPS.items()}

SOURCES = ("Google Ads", "Home Show", "Referral", "Canvassing", "Radio", "Old customer", "Web form")
TAGS = ("Windows", "Siding", "Roof", "Gutters", "Friendly", "In a hurry", "Called twice 📞")
WORKFLOWS = ("New lead", "After sale", "Cold prospect")
STEPS_EACH = 4
DIVISIONS = 5


@dataclass(frozen=True)
class Sizes:
    """How many people there are for a number of prospects."""

    prospects: int

    @property
    def users(self) -> int:
        return 12 + self.prospects // 50

    @property
    def teams(self) -> int:
        return 3 + self.users // 20

    @property
    def referrers(self) -> int:
        return 5 + self.prospects // 20

    @property
    def workflow_steps(self) -> int:
        return len(WORKFLOWS) * STEPS_EACH


def add_company(draft: Draft, rng: Random, sizes: Sizes) -> None:
    _add_lookups(draft)
    _add_marketing(draft, rng)
    for number in range(sizes.users):
        _add_user(draft, rng, number, sizes)
    for number in range(sizes.teams):
        draft.add(
            "team",
            name=f"Team {number + 1}",
            division_id=number % DIVISIONS + 1,
            manager_user_id=number + 1,
            is_active=True,
            updated_at=_moment(rng),
        )
    for _ in range(sizes.referrers):
        add_referrer(draft, rng, _moment(rng))
    _add_workflows(draft, rng)


def _moment(rng: Random) -> datetime:
    return FOUNDED + timedelta(seconds=rng.randrange(180 * 86_400))


def _add_lookups(draft: Draft) -> None:
    for table, labels in LOOKUPS.items():
        for order, label in enumerate(labels):
            draft.add(table, label=label, sort_order=order, is_active=order < IN_USE[table])


def _add_marketing(draft: Draft, rng: Random) -> None:
    for name in SOURCES:
        cost = Decimal(rng.randrange(500, 12_000)) / 100
        channel = rng.choice(("online", "event", "mouth"))
        draft.add(
            "lead_source",
            name=name,
            channel=channel,
            cost_per_lead=cost,
            is_active=True,
            updated_at=_moment(rng),
        )
    for number, label in enumerate(TAGS):
        group = number * IN_USE["tag_group"] // len(TAGS) + 1
        draft.add("tag", tag_group_id=group, label=label, is_active=True, updated_at=_moment(rng))


def _add_user(draft: Draft, rng: Random, number: int, sizes: Sizes) -> None:
    first, last, hired = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES), _moment(rng)
    left = rng.random() < 0.1
    user_id = draft.add(
        "user_data",
        division_id=number % DIVISIONS + 1,
        title_id=rng.randrange(1, 6),
        manager_user_id=number % 3 + 1 if number >= 3 else None,
        first_name=first,
        last_name=last,
        email=f"user{number + 1}@genius.example",
        password_hash=f"pbkdf2$never-to-be-landed${rng.getrandbits(64):x}",
        birth_date=date(1965, 1, 1) + timedelta(days=rng.randrange(13_000)),
        hired_on=hired.date(),
        start_date=(hired + timedelta(days=7)).date(),
        is_inactive=left,
        inactive_on=(hired + timedelta(days=300)).date() if left else None,
        updated_at=hired,
    )
    draft.add(
        "rep",
        user_id=user_id,
        rep_type_id=rng.randint(1, IN_USE["rep_type"]),
        team_id=rng.randint(1, sizes.teams),
        start_date=hired.date(),
        commission_rate=Decimal(rng.randrange(200, 1500)) / 10_000,
        updated_at=hired,
    )


def add_referrer(draft: Draft, rng: Random, at: datetime) -> None:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    draft.add(
        "referrer",
        first_name=first,
        last_name=last,
        phone=phone(rng),
        fee=Decimal(rng.choice((0, 50, 100, 250))),
        add_date=at,
        updated_at=at,
    )


def _add_workflows(draft: Draft, rng: Random) -> None:
    for name in WORKFLOWS:
        workflow_id = draft.add("workflow", name=name, is_active=True, updated_at=_moment(rng))
        for position in range(1, STEPS_EACH + 1):
            draft.add(
                "workflow_step",
                workflow_id=workflow_id,
                step_type_id=rng.randint(1, IN_USE["workflow_step_type"]),
                position=position,
                name=f"{name} {position}",
                settings={"delay_hours": rng.choice((1, 24, 72)), "notify": ["manager"]},
                is_active=True,
                updated_at=_moment(rng),
            )
