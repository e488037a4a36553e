"""Google Sheets: its models and its settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "GSHEET_BASE_URL"
SERVICE_ACCOUNT = "GSHEET_SERVICE_ACCOUNT"
TIME_ZONE = "GSHEET_TIME_ZONE"
DATE_ORDER = "GSHEET_DATE_ORDER"
REQUESTS_PER_MINUTE = "GSHEET_REQUESTS_PER_MINUTE"

KEY = "row_key"
SHEET = "sheet_tab"

NOTE = (
    "a sheet has no ids: the content of a row is its key. Nothing tells that a sheet has not"
    " changed: every run reads all of it"
)


@dataclass(frozen=True)
class SheetModel(Model):
    """``spreadsheet`` and ``tab``: names of the settings that say where the rows stand.
    ``typed``: header to type, where cells are more than text."""

    spreadsheet: str = ""
    tab: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)


CRM = Crm(
    name="gsheet",
    title="Google Sheets",
    models=(
        SheetModel(
            "leads",
            key=(KEY,),
            spreadsheet="GSHEET_LEADS_SPREADSHEET_ID",
            tab="GSHEET_LEADS_TAB",
            typed={
                "created_at": "timestamp",
                "recording_duration": "bigint",
                "hold_time": "bigint",
                "call_attempts": "bigint",
                "first_call_date_time": "timestamp",
                "Appt Date-Time": "timestamp",
                "Set Appt Date": "date",
                "Total Job Value": "decimal",
                "Cancel Job Value": "decimal",
            },
            note=NOTE,
        ),
        SheetModel(
            "spends",
            key=(KEY,),
            spreadsheet="GSHEET_SPENDS_SPREADSHEET_ID",
            tab="GSHEET_SPENDS_TAB",
            typed={
                "Date": "date",
                "Cost": "decimal",
                "event_start_date": "date",
                "event_end_date": "date",
                "event_fee": "decimal",
                "event_labor_cost": "decimal",
            },
            note=NOTE,
        ),
    ),
    steering=(
        "properties",
        "sheets",
        "range",
        "majorDimension",
        "*!1:1",
    ),
    listed=("values",),
    counts_days=True,
    fallback="leads",
    settings=(
        Setting(BASE_URL, "Where Sheets answers.", default="https://sheets.googleapis.com"),
        Setting(
            SERVICE_ACCOUNT,
            "The service account's key: the path of its JSON file, or the JSON itself. "
            "Share each sheet with the account's address.",
            secret=True,
            required=True,
        ),
        Setting(
            "GSHEET_LEADS_SPREADSHEET_ID",
            "The spreadsheet of the leads: the long id in its address.",
            required=True,
        ),
        Setting("GSHEET_LEADS_TAB", "The tab of the leads.", default="Leads"),
        Setting(
            "GSHEET_SPENDS_SPREADSHEET_ID",
            "The spreadsheet of the marketing spends.",
            required=True,
        ),
        Setting("GSHEET_SPENDS_TAB", "The tab of the spends.", default="All Marketing Spend"),
        Setting(TIME_ZONE, "The zone of times in cells. Empty: the spreadsheet's own."),
        Setting(
            DATE_ORDER,
            "How texts write 3/4/2026: mdy is March 4, dmy is April 3, ymd is written 2026/3/4."
            " Empty: as the spreadsheet's locale does. ISO dates are always read.",
        ),
        Setting(
            REQUESTS_PER_MINUTE,
            "How many reads a minute all syncs together may make; Google allows 60 per user.",
            default="60",
        ),
    ),
)
