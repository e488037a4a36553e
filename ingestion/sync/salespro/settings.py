"""SalesPro: its models and its settings, for both of its back ends."""

from dataclasses import dataclass

from ingestion.sync.common.source import Crm, Model, Setting

BACKEND = "SALESPRO_BACKEND"
LEAP, ATHENA = "leap", "athena"
TIME_ZONE = "SALESPRO_TIME_ZONE"

BASE_URL = "SALESPRO_BASE_URL"
API_TOKEN = "SALESPRO_API_TOKEN"  # noqa: S105 - a setting's name
LEAD_STAGES = "SALESPRO_LEAD_STAGES"
REQUESTS_PER_MINUTE = "SALESPRO_REQUESTS_PER_MINUTE"

ATHENA_REGION = "SALESPRO_ATHENA_REGION"
ATHENA_ENDPOINT = "SALESPRO_ATHENA_ENDPOINT"
ATHENA_DATABASE = "SALESPRO_ATHENA_DATABASE"
ATHENA_WORKGROUP = "SALESPRO_ATHENA_WORKGROUP"
ATHENA_OUTPUT = "SALESPRO_ATHENA_OUTPUT"
ATHENA_WAIT_SECONDS = "SALESPRO_ATHENA_WAIT_SECONDS"
ACCESS_KEY_ID = "SALESPRO_ACCESS_KEY_ID"
SECRET_ACCESS_KEY = "SALESPRO_SECRET_ACCESS_KEY"  # noqa: S105 - a setting's name
USERS_CSV = "SALESPRO_USERS_CSV"

DAY = 86_400.0
TIMES = {"created_at": "timestamp", "updated_at": "timestamp"}


@dataclass(frozen=True)
class LeapModel(Model):
    """``path``: the list of Leap's REST API. ``changed_by``: the date range that filters by
    change, "" where there is none. ``paged``: whether the list is known to have pages; one that is
    not is read by pages where it tells of more than one. ``in_lead_stage``: only the jobs of the
    stages that count as leads."""

    path: str = ""
    changed_by: str = ""
    paged: bool = True
    in_lead_stage: bool = False


JOB = {
    "id": "bigint",
    "customer_id": "bigint",
    "number": "text",
    "name": "text",
    "division_id": "bigint",
    "trades": "json",
    "current_stage": "json",
    "stage_last_modified": "timestamp",
    "contract_signed_date": "date",
    "customer": "json",
    "financial_details": "json",
    **TIMES,
}

CRM = Crm(
    name="salespro",
    title="SalesPro",
    models=(
        LeapModel(
            "customers",
            path="/customers",
            columns={
                "id": "bigint",
                "first_name": "text",
                "last_name": "text",
                "company_name": "text",
                "email": "text",
                "phones": "json",
                "address": "json",
                "referred_by_type": "text",
                **TIMES,
            },
            note="whether customers can be filtered by change is not known",
        ),
        LeapModel(
            "jobs",
            path="/jobs",
            changed_by="job_updated_date",
            cursor="updated_at",
            incremental="cursor",
            overlap_seconds=DAY,
            columns=JOB,
            note="date ranges are whole days, so a day is read again",
        ),
        LeapModel(
            "proposals",
            path="/proposals",
            columns={
                "id": "bigint",
                "job_id": "bigint",
                "title": "text",
                "status": "text",
                **TIMES,
            },
            note="whether proposals can be filtered by change is not known",
        ),
        LeapModel(
            "appointments",
            path="/appointments",
            changed_by="appointment_updated_date",
            cursor="updated_at",
            incremental="cursor",
            overlap_seconds=DAY,
            columns={
                "id": "bigint",
                "title": "text",
                "customer_id": "bigint",
                "start_date_time": "timestamp",
                "end_date_time": "timestamp",
                "full_day": "bool",
                "is_completed": "bool",
                "result": "json",
                "result_option_ids": "json",
                **TIMES,
            },
            note="date ranges are whole days, so a day is read again",
        ),
        LeapModel(
            "leads",
            path="/jobs",
            in_lead_stage=True,
            columns=JOB,
            note="Leap has no leads: they are the jobs in the lead stages",
        ),
        LeapModel(
            "users",
            path="/company/users",
            paged=False,
            columns={
                "id": "bigint",
                "first_name": "text",
                "last_name": "text",
                "email": "text",
                "group": "json",
                "active": "bool",
                **TIMES,
            },
            note="no filter by change",
        ),
    ),
    steering=(
        "meta",
        "*/workflow/stages",
        "QueryExecutionId",
        "State",
        "AthenaError",
        "NextToken",
        "ColumnInfo",
    ),
    listed=("Name", "VarCharValue"),
    fallback="all",
    settings=(
        Setting(BACKEND, "Where the data is read: leap (REST API) or athena (data lake).", LEAP),
        Setting(TIME_ZONE, "The zone of times: the CRM sends them without one.", "UTC"),
        Setting(BASE_URL, "Where Leap answers.", "https://api.jobprogress.com/api/v3"),
        Setting(API_TOKEN, "Leap's token, from Settings > Developers.", secret=True),
        Setting(LEAD_STAGES, "Leap: names of the stages whose jobs are leads, by comma.", "Lead"),
        Setting(REQUESTS_PER_MINUTE, "Leap: requests a minute of all syncs together.", "60"),
        Setting(ACCESS_KEY_ID, "Athena: AWS access key.", secret=True),
        Setting(SECRET_ACCESS_KEY, "Athena: AWS secret key.", secret=True),
        Setting(ATHENA_REGION, "Athena: AWS region.", "us-east-1"),
        Setting(ATHENA_DATABASE, "Athena: the database of the data lake."),
        Setting(ATHENA_WORKGROUP, "Athena: the work group that queries run in.", "primary"),
        Setting(ATHENA_OUTPUT, "Athena: where results are kept, s3://bucket/path/."),
        Setting(ATHENA_ENDPOINT, "Athena: another address than AWS's own; empty for AWS."),
        Setting(
            ATHENA_WAIT_SECONDS, "Athena: how long a query may wait in its queue and run.", "1800"
        ),
        Setting(USERS_CSV, "Athena: path of the CSV export of users; without it there are none."),
    ),
)
