"""SalesRabbit: its models and its settings."""

from dataclasses import dataclass

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "SALESRABBIT_BASE_URL"
API_TOKEN = "SALESRABBIT_API_TOKEN"  # noqa: S105 - a setting's name
REQUESTS_PER_MINUTE = "SALESRABBIT_REQUESTS_PER_MINUTE"


@dataclass(frozen=True)
class SalesRabbitModel(Model):
    """``path``: the list. ``modified_since``: whether the list heeds If-Modified-Since."""

    path: str = ""
    modified_since: bool = True


CRM = Crm(
    name="salesrabbit",
    title="SalesRabbit",
    models=(
        SalesRabbitModel(
            "users",
            path="/users",
            modified_since=False,
            columns={
                "id": "bigint",
                "firstName": "text",
                "lastName": "text",
                "email": "text",
                "phone": "text",
                "role": "text",
                "active": "bool",
                "orgId": "bigint",
                "office": "text",
                "team": "text",
                "region": "text",
                "department": "text",
                "businessUnit": "text",
                "supervisorId": "bigint",
                "recruiterId": "bigint",
                "hireDate": "date",
                "photoUrl": "text",
                "externalIds": "json",
                "dateCreated": "timestamp",
                "dateModified": "timestamp",
            },
            note="read whole: whether users heed If-Modified-Since is not known",
        ),
        SalesRabbitModel(
            "leads",
            path="/leads",
            cursor="dateModified",
            incremental="cursor",
            overlap_seconds=300,
            columns={
                "id": "bigint",
                "userId": "bigint",
                "userName": "text",
                "firstName": "text",
                "lastName": "text",
                "businessName": "text",
                "phonePrimary": "text",
                "phoneAlternate": "text",
                "email": "text",
                "street1": "text",
                "street2": "text",
                "city": "text",
                "state": "text",
                "zip": "text",
                "country": "text",
                "latitude": "double",
                "longitude": "double",
                "status": "text",
                "statusModified": "timestamp",
                "ownerModified": "timestamp",
                "notes": "text",
                "campaignId": "bigint",
                "appointment": "json",
                "dateOfBirth": "date",
                "customFields": "json",
                "integrationData": "json",
                "files": "json",
                "dateCreated": "timestamp",
                "dateModified": "timestamp",
                "deletedAt": "timestamp",
            },
            note="leads that drop out of the list are marked by a full run",
        ),
    ),
    steering=("meta",),
    fallback="all",
    settings=(
        Setting(BASE_URL, "Where SalesRabbit answers.", default="https://api.salesrabbit.com"),
        Setting(
            API_TOKEN,
            "API token from Integrations > API in the web app.",
            secret=True,
            required=True,
        ),
        Setting(
            REQUESTS_PER_MINUTE,
            "How many requests a minute all syncs together may make; the CRM names no limit.",
            default="60",
        ),
    ),
)
