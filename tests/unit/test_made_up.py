"""Made-up texts have the shape of the real ones, and nothing else of them."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sync.recording.made_up import MadeUp
from ingestion.sync.recording.times import birthday, day_numbers, is_time


def kinds(text: str) -> list[str]:
    return [unicodedata.category(character) for character in text]


@given(st.text())
def test_every_text_keeps_its_length_and_its_classes(text: str) -> None:
    made = MadeUp().text(text)
    assert len(made) == len(text)
    assert [k[0] for k in kinds(made)] == [k[0] for k in kinds(text)]


@pytest.mark.parametrize(
    "text",
    ["Ada Lovelace", "ŻAK", "Øyvind", "李雷", "(615) 555-0199", "1,234.50", "ada@example.com"],
)
def test_no_value_stays_and_its_classes_do(text: str) -> None:
    made = MadeUp().text(text)
    assert made != text
    assert kinds(made) == kinds(text)


def test_equal_stays_equal_whatever_the_case() -> None:
    made = MadeUp()
    assert made.text("ADA") == made.text("ada").upper()
    assert made.text("Ada Lovelace").split()[0] == made.text("Ada")


def test_hexadecimal_stays_so_in_the_same_case() -> None:
    made = MadeUp().text("ACC8154748ae6bd4e278a7cddd38a662f4f")
    assert made[:3].isupper()
    assert made[3:].islower()
    assert int(made, 16)


def test_a_number_is_the_same_however_it_is_written() -> None:
    made = MadeUp()
    digits = made.text("6155550199")
    assert made.text("(615) 555-0199") == f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"


def test_different_numbers_stay_different() -> None:
    made = MadeUp()
    numbers = [str(n) for n in range(10, 1000) if n % 10]
    assert len({made.text(number) for number in numbers}) == len(numbers)


def test_another_bundle_has_other_texts() -> None:
    assert MadeUp().text("Ada Lovelace of Example") != MadeUp().text("Ada Lovelace of Example")


@pytest.mark.parametrize("text", ["007", "0.05", "12.50", "1000", "-3.25", "1.5E+10"])
def test_zeros_at_the_ends_signs_and_exponents_stay(text: str) -> None:
    made = MadeUp().text(text)
    assert len(made) - len(made.lstrip("-0.")) == len(text) - len(text.lstrip("-0."))
    assert len(made) - len(made.rstrip("0")) == len(text) - len(text.rstrip("0"))


def test_a_number_of_64_bits_stays_one() -> None:
    assert int(MadeUp().text(str(2**63 - 1))) < 10**19


def test_words_that_say_yes_or_no_stay() -> None:
    made = MadeUp()
    assert [made.text(word) for word in ("true", "False", "No", "7")] == [
        "true",
        "False",
        "No",
        "7",
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "2026-01-02"),
        ("", "2026-02-10T03:43:50.798-05:00"),
        ("", "1/8/2026 9:12:44"),
        ("", "Jan 5, 2026 10:00 AM"),
        ("", "/Date(1764000000000)/"),
        ("", "America/Denver"),
        ("updatedAt", "1764000000000"),
    ],
)
def test_times_are_known(name: str, text: str) -> None:
    assert is_time(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("phone", "615-555-0199"),
        ("phone", "1764000000"),
        ("birth_date", "2010-01-02"),
        ("birthday", "1990-01-02T00:00:00Z"),
        ("", "11/16/1956"),
        ("price", "12.50"),
        ("note", "2026-01-02 Ada called"),
    ],
)
def test_what_is_somebodys_is_no_time(name: str, text: str) -> None:
    assert not is_time(name, text)


@pytest.mark.parametrize(
    "text", ["1956-11-16", "11/16/1956", "1/2/1990", "5 Jan 1956", "2001-03-04"]
)
def test_a_day_of_birth_becomes_another_day(text: str) -> None:
    assert birthday("", text) == text
    made = {MadeUp().day(text) for _ in range(20)}
    assert len(made) > 1
    for day in made:
        assert birthday("", day) == day
        assert kinds(day) == kinds(text)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2026-01-08", {46030}),
        ("1/8/2026 9:12:44", {46030, 46235}),
        ("13.1.2026", {46035}),
        ("9:12", set()),
        ("Ada", set()),
    ],
)
def test_a_shown_day_has_a_number(text: str, numbers: set[int]) -> None:
    assert day_numbers(text) == numbers
