"""MarketSharp: its entity sets and its settings."""

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "MARKETSHARP_BASE_URL"
COMPANY_ID = "MARKETSHARP_COMPANY_ID"
USER_KEY = "MARKETSHARP_USER_KEY"
SECRET_KEY = "MARKETSHARP_SECRET_KEY"  # noqa: S105 - a setting's name
TIME_ZONE = "MARKETSHARP_TIME_ZONE"
PAGE_SIZE = "MARKETSHARP_PAGE_SIZE"
REQUESTS_PER_MINUTE = "MARKETSHARP_REQUESTS_PER_MINUTE"

CURSOR = "lastUpdate"
CHANGED = {CURSOR: "timestamp", "createdDate": "timestamp"}
PERSON = {
    "id": "text",
    "companyId": "bigint",
    "firstName": "text",
    "lastName": "text",
    "middleInitial": "text",
    "title": "text",
    "businessName": "text",
    "contactPhoneId": "text",
    "primaryAddressId": "text",
    "email1": "text",
    "email2": "text",
    "email3": "text",
    "source": "text",
    "isTagged": "bool",
    "doNotMail": "bool",
    "yearHomeBuilt": "bigint",
    "maritalStatus": "text",
    "qbId": "text",
    "isActive": "bool",
    "hasDncPhone": "bool",
    "hasDneEmail": "bool",
    "creationDate": "timestamp",
    **CHANGED,
}
# What is known of an entity set's fields; others are landed by their values.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "Contacts": PERSON,
    "Leads": PERSON,
    "Customers": PERSON,
    "Prospects": PERSON,
    "Appointments": {
        "id": "text",
        "inquiryId": "text",
        "salesperson1Id": "text",
        "salesperson2Id": "text",
        "setById": "text",
        "resultId": "text",
        "appointmentDate": "timestamp",
        "setDate": "timestamp",
        "issuedDate": "timestamp",
        "note": "text",
        "subject": "text",
        "type": "text",
        "resultReason": "text",
        "isActive": "bool",
        **CHANGED,
    },
    "Jobs": {
        "id": "text",
        "contactId": "text",
        "inquiryId": "text",
        "appointmentId": "text",
        "site": "text",
        "number": "text",
        "name": "text",
        "description": "text",
        "type": "text",
        "status": "text",
        "addressLine1": "text",
        "addressLine2": "text",
        "city": "text",
        "state": "text",
        "zip": "text",
        "note": "text",
        "startDate": "timestamp",
        "saleDate": "timestamp",
        "completedDate": "timestamp",
        "isActive": "bool",
        **CHANGED,
    },
    "Inquiries": {
        "id": "text",
        "contactId": "text",
        "description": "text",
        "inquirySourcePrimaryId": "text",
        "inquirySourceSecondaryId": "text",
        "inquiryStatusId": "bigint",
        "creationDate": "timestamp",
        "inquiryDate": "timestamp",
        "setDate": "timestamp",
        "note": "text",
        "division": "text",
        "isActive": "bool",
        **CHANGED,
    },
    "Addresses": {"id": "text", "zip": "text"},
    "ContactPhones": {"contactId": "text"},
}
# Entity sets with a lastUpdate, and those without: these are read whole.
WITH_CHANGES = {
    "activities": "Activities",
    "activity_results": "ActivityResults",
    "additional_contacts": "AdditionalContacts",
    "appointments": "Appointments",
    "contacts": "Contacts",
    "contracts": "Contracts",
    "customers": "Customers",
    "employee_infoes": "EmployeeInfoes",
    "employees": "Employees",
    "future_interests": "FutureInterests",
    "inquiries": "Inquiries",
    "job_product_commission_payments": "JobProductCommissionPayments",
    "job_product_commissions": "JobProductCommissions",
    "job_product_costs": "JobProductCosts",
    "job_product_cost_types": "JobProductCostTypes",
    "job_product_details": "JobProductDetails",
    "job_products": "JobProducts",
    "jobs": "Jobs",
    "leads": "Leads",
    "loans": "Loans",
    "notes": "Notes",
    "payment_histories": "PaymentHistories",
    "process_steps": "ProcessSteps",
    "proposals": "Proposals",
    "prospects": "Prospects",
    "service_orders": "ServiceOrders",
    "surveys": "Surveys",
    "work_crews": "WorkCrews",
}
WITHOUT_CHANGES = {
    "activity_references": "ActivityReferences",
    "addresses": "Addresses",
    "appointment_results": "AppointmentResults",
    "companies": "Companies",
    "contact_phones": "ContactPhones",
    "contact_types": "ContactTypes",
    "custom_fields": "CustomFields",
    "inquiry_source_primaries": "InquirySourcePrimaries",
    "inquiry_source_secondaries": "InquirySourceSecondaries",
    "inquiry_statuses": "InquiryStatuses",
    "product_details": "ProductDetails",
    "product_interests": "ProductInterests",
    "product_types": "ProductTypes",
}


@dataclass(frozen=True)
class EntityModel(Model):
    """``entity_set``: what stands in the address."""

    entity_set: str = ""


def _with_changes(name: str, entity_set: str) -> EntityModel:
    return EntityModel(
        name,
        entity_set=entity_set,
        cursor=CURSOR,
        incremental="cursor",
        overlap_seconds=300,
        columns={"id": "text", **CHANGED, **COLUMNS.get(entity_set, {})},
        note="deletions are not told: a full run marks them",
    )


def _without_changes(name: str, entity_set: str) -> EntityModel:
    key = "contactId" if entity_set == "ContactPhones" else "id"
    return EntityModel(
        name,
        entity_set=entity_set,
        key=(key,),
        columns={key: "text", **COLUMNS.get(entity_set, {})},
        note="no lastUpdate: read whole",
    )


CRM = Crm(
    name="marketsharp",
    title="MarketSharp",
    models=(
        *(_with_changes(*entity) for entity in WITH_CHANGES.items()),
        *(_without_changes(*entity) for entity in WITHOUT_CHANGES.items()),
    ),
    steering=(
        "__next",
        "__metadata",
        "__deferred",
        "link",
    ),
    fallback="all",
    routed=False,
    settings=(
        Setting(
            BASE_URL,
            "Where the OData service answers.",
            default="https://api4.marketsharpm.com/WcfDataService.svc",
        ),
        Setting(COMPANY_ID, "The company's id.", required=True),
        Setting(
            USER_KEY, "API user key, from Admin > API Maintenance.", secret=True, required=True
        ),
        Setting(
            SECRET_KEY,
            "API secret key, base64, from Admin > API Maintenance.",
            secret=True,
            required=True,
        ),
        Setting(
            TIME_ZONE,
            "The zone of the company's times: the CRM sends them without one.",
            default="America/Chicago",
        ),
        Setting(PAGE_SIZE, "Rows a request; clients report a cap of 5000.", default="1000"),
        Setting(
            REQUESTS_PER_MINUTE,
            "How many requests a minute all syncs together may make; the CRM names no limit.",
            default="120",
        ),
    ),
)
