"""Names and addresses, with what real ones have: leading zeros, accents, apostrophes, emoji."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

FIRST_NAMES = (
    "Dana", "Luis", "Aoife", "Priya", "Zoë", "Łukasz", "Marta", "Chen", "Noah", "Ivy",
    "José", "Hannah", "Omar", "Ruth", "Søren", "Mei",
)  # fmt: skip
LAST_NAMES = (
    "Reyes", "O'Brien", "Muñoz", "Nguyen", "Smith", "Müller", "de la Cruz", "Kowalski",
    "Johnson", "Al-Amin", "Baker", "李", "Hernández", "Woods", "St. James", "Fischer",
)  # fmt: skip
STREETS = ("Elm St", "Main St", "Martin Luther King Jr Blvd", "Old Mill Rd", "5th Ave", "Oak Ln")
NOTES = (
    "Wants a quote for the back windows.",
    'Said: "call after 5", twice.\nDog in the yard.',
    "Très intéressée – rappeler lundi ☎️",
    "Price is 100% the question; see O'Brien's offer.",
    "",
)


class Place(NamedTuple):
    city: str
    state: str
    zip: str
    county: str


PLACES = (
    Place("Franklin", "TN", "37064", "Williamson"),
    Place("Nashville", "TN", "37203", "Davidson"),
    Place("Boston", "MA", "02134", "Suffolk"),
    Place("Holtsville", "NY", "00501", "Suffolk"),
    Place("Newark", "NJ", "07102", "Essex"),
    Place("Austin", "TX", "78701", "Travis"),
)


def phone(rng: Random) -> str:
    return f"{rng.choice(('615', '617', '512'))}555{rng.randrange(10_000):04}"


def address(rng: Random) -> dict[str, str | None]:
    """address1, address2, city, state, zip."""
    place = rng.choice(PLACES)
    return {
        "address1": f"{rng.randrange(1, 9999)} {rng.choice(STREETS)}",
        "address2": f"Apt {rng.randrange(1, 40)}" if rng.random() < 0.2 else None,
        "city": place.city,
        "state": place.state,
        "zip": place.zip,
    }
