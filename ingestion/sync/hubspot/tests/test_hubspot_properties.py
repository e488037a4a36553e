"""Which properties are read, as a setting says."""

from __future__ import annotations

import pytest

from ingestion.sync.hubspot.properties import Choice
from ingestion.sync.hubspot.settings import CRM, WITH_PROPERTIES, HubspotModel
from ingestion.sync.hubspot.tests.conftest import Account
from ingestion.sync.hubspot.values import Property
from sandbox.crms.hubspot.catalog import PROPERTIES

KNOWN = [
    Property("email", "string", "contactinformation"),
    Property("firstname", "string", "contactinformation"),
    Property("hs_object_id", "number", "contactinformation"),
    Property("hs_score", "number", "analytics"),
    Property("lastmodifieddate", "datetime", "contactinformation"),
    Property("twitter", "string", "social"),
]


@pytest.mark.parametrize(
    ("setting", "left_out"),
    [
        ("", set()),
        ("filled", set()),
        ("email", {"firstname", "hs_score", "twitter"}),
        ("group:social, email", {"firstname", "hs_score"}),
        ("-hs_*", {"hs_score"}),
        ("-group:social,-firstname", {"twitter", "firstname"}),
        ("group:*,-group:a*", {"hs_score"}),
        ("nobody_has_this", {"email", "firstname", "hs_score", "twitter"}),
    ],
)
def test_takes_and_leaves_by_name_pattern_and_group(setting: str, left_out: set[str]) -> None:
    """The id and the date of the last change are always read."""
    chosen = Choice.of(setting).chosen(KNOWN, "lastmodifieddate")
    assert {p.name for p in KNOWN} - {p.name for p in chosen} == left_out


def test_only_what_has_a_value_becomes_a_column() -> None:
    assert Choice.of("email, filled") == Choice(("email",), (), only_filled=True)
    assert not Choice.of("-filled_form").only_filled


def test_every_model_with_properties_has_a_setting() -> None:
    objects = {m.name for m in CRM.models if isinstance(m, HubspotModel) and m.reads == "objects"}
    assert objects == set(WITH_PROPERTIES)


def test_only_the_chosen_properties_are_asked_for_and_landed(account: Account) -> None:
    setting = {"HUBSPOT_CONTACTS_PROPERTIES": "email,group:hubspotinformation,-hs_lead*"}
    columns = account.source(**setting).columns(CRM.model("contacts"))
    (first, *_) = account.records("contacts", **setting)
    names = {p.name for p in PROPERTIES["contacts"]}
    hs = {name for name in names if name.startswith("hs_") and not name.startswith("hs_lead")}
    assert set(columns) & names == {"email", "lastmodifieddate"} | hs
    assert set(first) == set(columns)
    # Another model has its own setting.
    assert "dealname" in account.source(**setting).columns(CRM.model("deals"))


def test_the_model_makes_columns_with_values_where_the_setting_says_so(account: Account) -> None:
    model = CRM.model("contacts")
    assert account.source(HUBSPOT_CONTACTS_PROPERTIES="filled").adapted(model).only_filled
    assert not account.source(HUBSPOT_DEALS_PROPERTIES="filled").adapted(model).only_filled
    owners = CRM.model("owners")
    assert account.source().adapted(owners) is owners
