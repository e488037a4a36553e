"""LeadConduit: its model and its settings."""

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "LEADCONDUIT_BASE_URL"
API_KEY = "LEADCONDUIT_API_KEY"
RETENTION_DAYS = "LEADCONDUIT_RETENTION_DAYS"
OVERLAP_SECONDS = "LEADCONDUIT_OVERLAP_SECONDS"
REQUESTS_PER_MINUTE = "LEADCONDUIT_REQUESTS_PER_MINUTE"

LEAD_COLUMNS = {
    "lead_id": "text",
    "id": "text",
    "type": "text",
    "outcome": "text",
    "reason": "text",
    "host": "text",
    "start_timestamp": "timestamp",
    "end_timestamp": "timestamp",
    "submission_timestamp": "timestamp",
    "expires_at": "timestamp",
    "ms": "bigint",
    "wait_ms": "bigint",
    "overhead_ms": "bigint",
    "lag_ms": "bigint",
    "total_ms": "bigint",
    "step_count": "bigint",
    "handler_version": "text",
    "version": "text",
    "module_id": "text",
    "package_version": "text",
    "cap_reached": "bool",
    "ping_limit_reached": "bool",
    "cost": "decimal",
    "purchase_price": "decimal",
    "recipient_revenue": "decimal",
    "flow_id": "text",
    "flow_name": "text",
    "source_id": "text",
    "source_name": "text",
    "first_name": "text",
    "last_name": "text",
    "email": "text",
    "phone_1": "text",
    "city": "text",
    "state": "text",
    "postal_code": "text",
    "vars": "json",
    "appended": "json",
}

CRM = Crm(
    name="leadconduit",
    title="LeadConduit",
    models=(
        Model(
            "leads",
            key=("lead_id",),
            cursor="id",
            incremental="cursor",
            deletions="never",
            columns=LEAD_COLUMNS,
            note="a lead is its source event; events vanish after the account's retention",
        ),
    ),
    steering=("type",),
    fallback="leads",
    settings=(
        Setting(BASE_URL, "Where LeadConduit answers.", default="https://app.leadconduit.com"),
        Setting(API_KEY, "API key of the account.", secret=True, required=True),
        Setting(
            RETENTION_DAYS,
            "For how many days the account keeps events: a run that comes later says what was lost.",
            default="90",
        ),
        Setting(
            OVERLAP_SECONDS,
            "How far before the last event read a run begins again: event ids are made on "
            "several machines, so a late one may stand before it.",
            default="300",
        ),
        Setting(
            REQUESTS_PER_MINUTE,
            "How many requests a minute all syncs together may make; the CRM names no limit.",
            default="60",
        ),
    ),
)
