"""CallRail: its models and its settings."""

from dataclasses import dataclass
from typing import Literal

from ingestion.sync.common.source import Crm, Model, Setting

BASE_URL = "CALLRAIL_BASE_URL"
API_KEY = "CALLRAIL_API_KEY"
ACCOUNT_ID = "CALLRAIL_ACCOUNT_ID"
REREAD_DAYS = "CALLRAIL_REREAD_DAYS"
REQUESTS_PER_HOUR = "CALLRAIL_REQUESTS_PER_HOUR"
REQUESTS_PER_DAY = "CALLRAIL_REQUESTS_PER_DAY"

CALL_DAY = "call_day"
WEBHOOKS = (
    "pre_call_webhook",
    "answered_call_webhook",
    "post_call_webhook",
    "updated_call_webhook",
    "post_outbound_call_webhook",
    "updated_outbound_call_webhook",
    "sms_received_webhook",
    "sms_sent_webhook",
    "form_captured_webhook",
)
# Without asking by name almost all attribution is missing.
CALL_FIELDS = (
    "call_type,company_id,company_name,company_time_zone,created_at,device_type,first_call,"
    "prior_calls,total_calls,lead_status,note,value,tags,source,source_name,keywords,medium,"
    "campaign,referring_url,landing_page_url,last_requested_url,referrer_domain,utm_source,"
    "utm_medium,utm_term,utm_content,utm_campaign,ga,gclid,fbclid,msclkid,milestones,timeline_url,"
    "tracker_id,person_id,session_uuid,integration_data,keypad_entries,speaker_percent,"
    "keywords_spotted,call_highlights,call_summary,lead_score,transcription,sentiment,zip_code,"
    "good_lead_call_id,good_lead_call_time"
)


@dataclass(frozen=True)
class CallRailModel(Model):
    """``array``: the list and the name of its records; ``part``: what is made of them."""

    array: str = ""
    part: Literal["rows", "tags", "webhooks"] = "rows"


CALLS = {
    "id": "text",
    CALL_DAY: "date",
    "answered": "bool",
    "business_phone_number": "text",
    "customer_city": "text",
    "customer_country": "text",
    "customer_name": "text",
    "customer_phone_number": "text",
    "customer_state": "text",
    "direction": "text",
    "duration": "bigint",
    "recording": "text",
    "recording_duration": "bigint",
    "recording_player": "text",
    "start_time": "timestamp",
    "tracking_phone_number": "text",
    "voicemail": "bool",
    "agent_email": "text",
    "call_type": "text",
    "company_id": "text",
    "company_name": "text",
    "tracker_id": "text",
    "created_at": "timestamp",
    "device_type": "text",
    "first_call": "bool",
    "prior_calls": "bigint",
    "total_calls": "bigint",
    "lead_status": "text",
    "note": "text",
    "value": "decimal",
    "tags": "json",
    "source": "text",
    "medium": "text",
    "campaign": "text",
    "keywords": "text",
    "milestones": "json",
    "integration_data": "json",
    "keypad_entries": "json",
    "speaker_percent": "json",
    "keywords_spotted": "json",
    "call_highlights": "json",
    "zip_code": "text",
    "good_lead_call_time": "timestamp",
}
LATE_EDITS = "calls cannot be filtered by change: a delta reads the last days again"

CRM = Crm(
    name="callrail",
    title="CallRail",
    models=(
        CallRailModel(
            "calls",
            array="calls",
            cursor="start_time",
            incremental="cursor",
            deletions="never",
            columns=CALLS,
            note=f"{LATE_EDITS}; what has gone from a day that was read is marked",
        ),
        CallRailModel(
            "companies",
            array="companies",
            columns={
                "id": "text",
                "name": "text",
                "status": "text",
                "time_zone": "text",
                "created_at": "timestamp",
                "disabled_at": "timestamp",
                "dni_active": "bool",
                "script_url": "text",
                "callscore_enabled": "bool",
                "lead_scoring_enabled": "bool",
                "callscribe_enabled": "bool",
                "form_capture": "bool",
                "swap_cookie_duration": "bigint",
            },
            note="no filter by change",
        ),
        CallRailModel(
            "trackers",
            array="trackers",
            columns={
                "id": "text",
                "name": "text",
                "type": "text",
                "status": "text",
                "destination_number": "text",
                "tracking_numbers": "json",
                "whisper_message": "text",
                "sms_supported": "bool",
                "sms_enabled": "bool",
                "company": "json",
                "source": "json",
                "call_flow": "json",
                "created_at": "timestamp",
                "disabled_at": "timestamp",
            },
            note="no filter by change",
        ),
        CallRailModel(
            "users",
            array="users",
            columns={
                "id": "text",
                "email": "text",
                "first_name": "text",
                "last_name": "text",
                "name": "text",
                "role": "text",
                "accepted": "bool",
                "created_at": "timestamp",
                "companies": "json",
            },
            note="no filter by change",
        ),
        CallRailModel(
            "tags",
            array="tags",
            columns={
                "id": "bigint",
                "name": "text",
                "tag_level": "text",
                "color": "text",
                "background_color": "text",
                "company_id": "text",
                "status": "text",
                "created_at": "timestamp",
            },
            note="no filter by change",
        ),
        CallRailModel(
            "call_tags",
            array="calls",
            part="tags",
            key=("call_id", "tag_key"),
            cursor="start_time",
            incremental="cursor",
            deletions="never",
            columns={
                "call_id": "text",
                "tag_key": "text",
                CALL_DAY: "date",
                "start_time": "timestamp",
                "tag_id": "bigint",
                "name": "text",
                "tag_level": "text",
                "color": "text",
            },
            note=f"no list of its own: exploded from calls; {LATE_EDITS}",
        ),
        CallRailModel(
            "integrations",
            array="integrations",
            columns={
                "id": "bigint",
                "company_id": "text",
                "type": "text",
                "state": "text",
                "config": "json",
            },
            note="listed company by company; the signing key is never landed",
        ),
        CallRailModel(
            "webhooks",
            array="integrations",
            part="webhooks",
            columns={
                "id": "bigint",
                "company_id": "text",
                "state": "text",
                **dict.fromkeys(WEBHOOKS, "json"),
            },
            note="no list of its own: the integrations of type Webhooks",
        ),
    ),
    steering=(
        "page",
        "per_page",
        "total_pages",
        "total_records",
        "next_page",
        "has_next_page",
        "type",
    ),
    fallback="calls",
    settings=(
        Setting(BASE_URL, "Where CallRail answers.", default="https://api.callrail.com/v3"),
        Setting(
            API_KEY,
            "API key; it sees what its user sees, and nothing tells of the rest.",
            secret=True,
            required=True,
        ),
        Setting(ACCOUNT_ID, "The account's id, ACC... or its nine digits.", required=True),
        Setting(
            REREAD_DAYS,
            "How many days of calls a delta reads again, for late tags, notes and values.",
            default="30",
        ),
        Setting(REQUESTS_PER_HOUR, "Requests an hour of all syncs together.", default="1000"),
        Setting(REQUESTS_PER_DAY, "Requests a day of all syncs together.", default="10000"),
    ),
)
