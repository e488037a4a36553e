"""HubSpot: its models and its settings."""

from dataclasses import dataclass
from typing import Literal

from ingestion.sync.common.source import Crm, Model, Setting

# A search may not see a record until some moments after its change (search guide).
SEARCH_LAG_SECONDS = 300


@dataclass(frozen=True)
class HubspotModel(Model):
    """``object_type``: the name in paths. ``scope``: what a private app must be granted to read
    it. ``reads``: how it is read: as CRM objects, as owners, or as associations."""

    object_type: str = ""
    scope: str = ""
    reads: Literal["objects", "owners", "associations"] = "objects"


def _objects(name: str, scope: str, *, cursor: str = "hs_lastmodifieddate") -> HubspotModel:
    """CRM objects: a list of all, a search by ``cursor``, a list of the archived ones.

    Archived records are told in every run. What was purged is told nowhere (a person's data on
    request, anything after its time in the archive): a full run marks it.
    """
    return HubspotModel(
        name,
        object_type=name,
        scope=scope,
        cursor=cursor,
        incremental="cursor",
        overlap_seconds=SEARCH_LAG_SECONDS,
        deletions="full_run",
    )


@dataclass(frozen=True)
class Pair:
    """Associations of two object types, read from the records of the first."""

    from_type: str
    to_type: str


# Each pair in one direction only: the other one holds the same facts again.
PAIRS = (
    Pair("contacts", "companies"),
    Pair("contacts", "deals"),
    Pair("contacts", "tickets"),
    Pair("companies", "deals"),
    Pair("companies", "tickets"),
    Pair("deals", "line_items"),
    Pair("deals", "tickets"),
)

# The models of CRM objects, which have properties.
WITH_PROPERTIES = ("contacts", "companies", "deals", "line_items", "products", "tickets")


def properties_setting(model: str) -> str:
    return f"HUBSPOT_{model.upper()}_PROPERTIES"


CRM = Crm(
    name="hubspot",
    title="HubSpot",
    models=(
        _objects("contacts", "crm.objects.contacts.read", cursor="lastmodifieddate"),
        _objects("companies", "crm.objects.companies.read"),
        _objects("deals", "crm.objects.deals.read"),
        _objects("line_items", "crm.objects.line_items.read"),
        HubspotModel(
            "owners",
            object_type="owners",
            scope="crm.objects.owners.read",
            reads="owners",
            deletions="full_run",
            note="The API cannot filter owners; there are few, and each run reads all of them.",
        ),
        _objects("products", "crm.objects.products.read"),
        _objects("tickets", "tickets"),
        HubspotModel(
            "associations",
            key=("from_type", "from_id", "to_type", "to_id", "category", "type_id"),
            reads="associations",
            after_others=True,
            incremental="run_start",
            overlap_seconds=SEARCH_LAG_SECONDS,
            deletions="full_run",
            note="Associations have no modification date: those of records that changed since"
            " the last run began are read again, and what is gone from these records is marked.",
        ),
    ),
    steering=(
        "*/properties/*",
        "paging",
        "total",
        "typeId",
        "toObjectId",
        "hs_object_id",
        "hs_merged_object_ids",
        "policyName",
    ),
    fallback="all",
    settings=(
        Setting(
            "HUBSPOT_ACCESS_TOKEN",
            "Access token of a private app with the read scopes of the models to load.",
            secret=True,
            required=True,
        ),
        Setting("HUBSPOT_BASE_URL", "Where the API stands.", default="https://api.hubapi.com"),
        Setting(
            "HUBSPOT_API_VERSION",
            "v3 (with v4 associations), or a dated version such as 2026-03.",
            default="v3",
        ),
        Setting(
            "HUBSPOT_REQUESTS_PER_10_SECONDS",
            "Burst limit of the account: 100 Free and Starter, 190 Professional and up, 250 with"
            " the add-on; leave room for other private apps.",
            default="100",
        ),
        Setting(
            "HUBSPOT_SEARCHES_PER_SECOND",
            "Search limit of the account, shared by all its apps.",
            default="5",
        ),
        Setting(
            "HUBSPOT_TIME_ZONE",
            "Time zone of the account, e.g. America/Denver: the daily limit is reset at its"
            " midnight.",
            default="UTC",
        ),
        *(
            Setting(
                properties_setting(name),
                f"Which properties of {name} are read, between commas: names and patterns (hs_*),"
                " groups (group:contactinformation), what to leave out (-hs_*, -group:social), and"
                " filled: a property becomes a column with its first value. Empty: all of them.",
            )
            for name in WITH_PROPERTIES
        ),
    ),
)
