"""Arrivy: its models and its settings."""

from dataclasses import dataclass

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "ARRIVY_BASE_URL"
AUTH_KEY = "ARRIVY_AUTH_KEY"
AUTH_TOKEN = "ARRIVY_AUTH_TOKEN"  # noqa: S105 - a setting's name
REQUESTS_PER_MINUTE = "ARRIVY_REQUESTS_PER_MINUTE"
HISTORY_START = "ARRIVY_HISTORY_START"
DAYS_BACK = "ARRIVY_DAYS_BACK"
DAYS_AHEAD = "ARRIVY_DAYS_AHEAD"
SLICE_DAYS = "ARRIVY_SLICE_DAYS"

ADDRESS = {
    "address_line_1": "text",
    "address_line_2": "text",
    "city": "text",
    "state": "text",
    "country": "text",
    "zipcode": "text",
}
CONTACT = {"email": "text", "phone": "text", "mobile_number": "text", "external_id": "text"}


@dataclass(frozen=True)
class ArrivyModel(Model):
    """``path``: the list. ``scheduled``: read by windows over the schedule, and the tasks without
    a place in it on top."""

    path: str = ""
    scheduled: bool = False


CRM = Crm(
    name="arrivy",
    title="Arrivy",
    models=(
        ArrivyModel(
            "bookings",
            path="/bookings",
            columns={"id": "bigint", "created": "timestamp", "updated": "timestamp"},
            note="the list is not in the vendor's documentation; landed as it comes",
        ),
        ArrivyModel(
            "tasks",
            path="/tasks",
            scheduled=True,
            incremental="run_start",
            columns={
                "id": "bigint",
                "url_safe_id": "text",
                "owner": "bigint",
                "title": "text",
                "details": "text",
                "status": "text",
                "template_type": "text",
                "start_datetime": "timestamp",
                "start_datetime_original_iso_str": "text",
                "start_datetime_timezone": "text",
                "end_datetime": "timestamp",
                "end_datetime_original_iso_str": "text",
                "duration": "bigint",
                "unscheduled": "bool",
                "customer_id": "bigint",
                "customer_first_name": "text",
                "customer_last_name": "text",
                "customer_email": "text",
                "customer_phone": "text",
                "customer_mobile_number": "text",
                "customer_address_line_1": "text",
                "customer_city": "text",
                "customer_state": "text",
                "customer_country": "text",
                "customer_zipcode": "text",
                "customer_exact_location": "json",
                "entity_ids": "json",
                "crew_ids": "json",
                "resource_ids": "json",
                "group_id": "bigint",
                "booking_id": "bigint",
                "external_id": "text",
                "source": "text",
                "extra_fields": "json",
                "template_extra_fields": "json",
                "created": "timestamp",
                "updated": "timestamp",
                "created_by": "bigint",
            },
            note="no filter by change: a delta reads a rolling window over the schedule again",
        ),
        ArrivyModel(
            "teams",
            path="/crews",
            columns={"id": "bigint", "name": "text", "entities_data": "json"},
            note="crews; the list is not in the vendor's documentation and knows no filter",
        ),
        ArrivyModel(
            "customers",
            path="/customers",
            columns={
                "id": "bigint",
                "owner": "bigint",
                "first_name": "text",
                "last_name": "text",
                "company_name": "text",
                **CONTACT,
                **ADDRESS,
                "exact_location": "json",
                "notes": "text",
                "notifications": "json",
                "extra_fields": "json",
            },
            note="no filter by change",
        ),
        ArrivyModel(
            "users",
            path="/entities",
            columns={
                "id": "bigint",
                "type": "text",
                "owner": "bigint",
                "name": "text",
                "email": "text",
                "phone": "text",
                "details": "text",
                "color": "text",
                "permission": "text",
                "group_id": "bigint",
                "can_turnoff_location": "bool",
                "is_disabled": "bool",
                "external_id": "text",
                "image_id": "bigint",
                "image_path": "text",
                "extra_fields": "json",
            },
            note="entities; no filter by change",
        ),
    ),
    fallback="all",
    settings=(
        Setting(BASE_URL, "Where Arrivy answers.", default="https://app.arrivy.com/api"),
        Setting(AUTH_KEY, "X-Auth-Key of the account user.", secret=True, required=True),
        Setting(AUTH_TOKEN, "X-Auth-Token of the account user.", secret=True, required=True),
        Setting(
            REQUESTS_PER_MINUTE,
            "How many requests a minute all syncs together may make; the CRM names no limit.",
            default="30",
        ),
        Setting(
            HISTORY_START, "The first day of the schedule; a full run begins there.", "2015-01-01"
        ),
        Setting(DAYS_BACK, "How many past days of the schedule a delta reads again.", "30"),
        Setting(
            DAYS_AHEAD,
            "How many coming days of the schedule are read in slices; what is "
            "planned for later is read by one query.",
            "180",
        ),
        Setting(
            SLICE_DAYS,
            "How many days of the schedule one query asks for: wide queries were seen to be cut "
            "without a word at about 1000 tasks.",
            default="90",
        ),
    ),
)
