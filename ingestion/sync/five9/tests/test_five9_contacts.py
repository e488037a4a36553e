"""All contacts come, through lookups that are cut off without a word."""

from __future__ import annotations

import pytest

from ingestion.sync.common.errors import PermanentError
from ingestion.sync.common.source import Window
from ingestion.sync.five9.tests.conftest import MODEL, Five9


def test_a_small_domain_needs_one_lookup(five9: Five9) -> None:
    assert sorted(five9.ids()) == sorted(five9.sandbox.domain.contacts)
    assert five9.sandbox.lookups == [""]


@pytest.mark.parametrize("limit", [7, 20, 100, 149, 150])
def test_lookups_that_are_cut_off_are_divided_until_every_contact_came_once(
    five9: Five9, limit: int
) -> None:
    five9.sandbox.behavior.record_limit = limit

    found = five9.ids(FIVE9_RECORD_LIMIT=str(limit))

    assert sorted(found) == sorted(five9.sandbox.domain.contacts)


def test_the_thousand_of_the_real_service_are_divided_too(five9: Five9) -> None:
    five9.only(*(f"{number % 10}15555{number:04d}" for number in range(1_001)))

    assert len(set(five9.ids())) == 1_001
    assert "number1=9%" in five9.sandbox.lookups


def test_exactly_as_many_as_the_limit_count_as_cut_off(five9: Five9) -> None:
    five9.only("6155550101", "6175550101", "9735550101")
    five9.sandbox.behavior.record_limit = 3

    assert len(five9.ids(FIVE9_RECORD_LIMIT="3")) == 3
    assert len(five9.sandbox.lookups) > 1


def test_a_number_that_is_the_beginning_of_others_is_not_lost(five9: Five9) -> None:
    five9.only("615", "6155", "61555", "6156", "616")
    five9.sandbox.behavior.record_limit = 2

    assert len(five9.ids(FIVE9_RECORD_LIMIT="2")) == 5


def test_numbers_with_unusual_first_characters_are_found(five9: Five9) -> None:
    five9.only("(615) 555-0101", "+441135550101", "01144113555", "*67", "6155550101")
    five9.sandbox.behavior.record_limit = 5

    assert len(five9.ids(FIVE9_RECORD_LIMIT="5")) == 5


def test_contacts_with_a_second_or_third_number_only_are_found(five9: Five9) -> None:
    five9.only("6155550101", "6155550102", "6155550103")
    five9.sandbox.domain.add({"number2": "6155550199"})
    five9.sandbox.domain.add({"number1": "", "number3": "6155550198"})
    five9.sandbox.behavior.record_limit = 3

    assert len(five9.ids(FIVE9_RECORD_LIMIT="3")) == 5


def test_a_domain_that_wants_criteria_is_walked_by_numbers(five9: Five9) -> None:
    five9.sandbox.behavior.takes_no_criteria = False

    assert sorted(five9.ids()) == sorted(five9.sandbox.domain.contacts)


@pytest.mark.parametrize("wildcard_finds_empty", [True, False])
def test_a_wildcard_that_finds_empty_values_changes_nothing(
    five9: Five9, wildcard_finds_empty: bool
) -> None:
    five9.sandbox.behavior.wildcard_finds_empty = wildcard_finds_empty
    five9.sandbox.behavior.record_limit = 40

    assert len(set(five9.ids(FIVE9_RECORD_LIMIT="40"))) == 150


def test_contacts_without_any_number_are_found_where_empty_values_can_be_looked_up(
    five9: Five9,
) -> None:
    five9.only(None, "6155550101", "6155550102")
    five9.sandbox.behavior.record_limit = 2
    five9.sandbox.behavior.finds_empty = True

    assert len(five9.ids(FIVE9_RECORD_LIMIT="2")) == 3


def test_a_domain_that_refuses_to_look_up_empty_values_is_read_all_the_same(five9: Five9) -> None:
    five9.sandbox.behavior.record_limit = 60
    five9.sandbox.behavior.takes_empty = False

    assert len(set(five9.ids(FIVE9_RECORD_LIMIT="60"))) == 150


def test_contacts_without_any_number_make_a_run_partial_where_nothing_finds_them(
    five9: Five9,
) -> None:
    five9.only(None, "6155550101", "6155550102")
    five9.sandbox.behavior.record_limit = 2
    five9.sandbox.behavior.finds_empty = False

    pages = list(five9.source(FIVE9_RECORD_LIMIT="2").pages(MODEL, Window(), batch_size=None))

    assert sum(len(page.records) for page in pages) == 3
    assert "cannot look up contacts without number1 or number2" in (pages[-1].unread or "")


def test_contacts_without_any_number_are_found_by_another_field(five9: Five9) -> None:
    five9.only("6155550101", "6155550102")
    five9.sandbox.domain.add({"email": "A.B@example.com"})
    five9.sandbox.behavior.record_limit = 2

    assert len(five9.ids(FIVE9_RECORD_LIMIT="2", FIVE9_WALK_FIELDS="number1, email")) == 3


def test_too_many_contacts_with_one_number_are_an_error_that_names_it(five9: Five9) -> None:
    five9.only(*["6155550101"] * 3)
    five9.sandbox.behavior.record_limit = 3

    with pytest.raises(PermanentError, match="number1 = 6155550101 at 3, and they cannot"):
        five9.ids(FIVE9_RECORD_LIMIT="3")


def test_wildcards_that_find_nothing_are_an_error_and_no_empty_table(five9: Five9) -> None:
    five9.sandbox.behavior.record_limit = 10
    five9.sandbox.behavior.knows_wildcards = False

    with pytest.raises(PermanentError, match="does not find by the first characters"):
        five9.ids(FIVE9_RECORD_LIMIT="10")


def test_a_contact_that_goes_during_the_reading_is_no_error(five9: Five9) -> None:
    five9.only("2015550101", "9735550101", "9735550102")
    five9.sandbox.behavior.record_limit = 3
    pages = five9.source(FIVE9_RECORD_LIMIT="3")._walk().pages()
    seen = []
    while not seen:
        seen = [contact["number1"] for contact in next(pages)]
    gone = next(
        c for c in five9.sandbox.domain.contacts.values() if "9735550101" in c.values.values()
    )
    del five9.sandbox.domain.contacts[gone.id]

    rest = [contact["number1"] for page in pages for contact in page]

    assert (seen, rest) == (["2015550101"], ["9735550102"])


def test_lists_choose_the_contacts(five9: Five9) -> None:
    contacts = five9.sandbox.domain.contacts.values()
    events = {c.id for c in contacts if c.values["last_list"] == "Events"}
    listed = {c.id for c in contacts if c.values["last_list"]}
    five9.sandbox.behavior.record_limit = 20

    assert set(five9.ids(FIVE9_LISTS="Events", FIVE9_RECORD_LIMIT="20")) == events
    assert set(five9.ids(FIVE9_LISTS="*", FIVE9_RECORD_LIMIT="20")) == listed
    assert "getListsInfo" in five9.sandbox.operations


def test_an_unknown_walk_field_is_named(five9: Five9) -> None:
    five9.sandbox.behavior.record_limit = 20

    with pytest.raises(PermanentError, match=r"fieldName number9.*check FIVE9_WALK_FIELDS"):
        five9.ids(FIVE9_RECORD_LIMIT="20", FIVE9_WALK_FIELDS="number9")


def test_pages_are_no_longer_than_asked_for(five9: Five9) -> None:
    pages = list(five9.source().pages(MODEL, Window(), batch_size=40))

    assert [len(page.records) for page in pages] == [40, 40, 40, 30]
