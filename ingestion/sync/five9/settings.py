"""Five9: its model and its settings."""

from ingestion.sync.common.source import Crm, Model, Setting

# A report runs on data that lags behind, and clocks differ.
REPORT_OVERLAP_SECONDS = 3600

CRM = Crm(
    name="five9",
    title="Five9",
    models=(
        Model(
            "contacts",
            key=("contact_key",),
            incremental="run_start",
            overlap_seconds=REPORT_OVERLAP_SECONDS,
            deletions="full_run",
            note="The contact lookup knows no time range. Where a report of changed contacts is"
            " configured, a delta run looks up those; else every run reads all contacts.",
        ),
    ),
    steering=(
        "getContactFieldsResponse",
        "getCallCountersStateResponse",
        "runReportResponse",
        "isReportRunningResponse",
        "getListsInfoResponse",
        "header",
        "fields",
        "Fault",
    ),
    listed=("fields", "data"),
    fallback="contacts",
    settings=(
        Setting(
            "FIVE9_USERNAME",
            "An administrator's user name, with the right to use Web Services. Take one that"
            " nobody works with: a second session of a user ends the first.",
            required=True,
        ),
        Setting("FIVE9_PASSWORD", "Its password.", secret=True, required=True),
        Setting(
            "FIVE9_BASE_URL",
            "The data centre: https://api.five9.com (US), https://api.five9.ca,"
            " https://api.five9.eu, https://api.eu.five9.com or https://api.in.five9.com.",
            default="https://api.five9.com",
        ),
        Setting("FIVE9_API_VERSION", "Version of the Configuration Web Services.", default="v13"),
        Setting(
            "FIVE9_WSDL",
            "Path of the vendor's own WSDL file, to be used in place of the bundled one.",
        ),
        Setting(
            "FIVE9_TIME_ZONE",
            "Time zone of the domain: dates and times come without one.",
            default="America/Los_Angeles",
        ),
        Setting(
            "FIVE9_DATE_FORMAT",
            "How dates are written in fields that do not tell their own format.",
            default="yyyy-MM-dd",
        ),
        Setting(
            "FIVE9_TIME_FORMAT",
            "How times are written in fields that do not tell their own format.",
            default="HH:mm:ss.SSS",
        ),
        Setting(
            "FIVE9_RECORD_LIMIT",
            "How many contacts a lookup gives at most: so many count as cut off.",
            default="1000",
        ),
        Setting(
            "FIVE9_WALK_FIELDS",
            "Contact fields by whose first characters the contacts are divided, in this order.",
            default="number1,number2,number3",
        ),
        Setting(
            "FIVE9_LISTS",
            "Names of lists between commas, or * for all lists: only contacts whose last list is"
            " one of these are read. Empty: all contacts.",
        ),
        Setting(
            "FIVE9_REPORT_FOLDER",
            "Folder of a report of changed contacts, for delta runs; empty: there is none.",
        ),
        Setting(
            "FIVE9_REPORT_NAME",
            "Name of that report: a row for each contact that changed in the report's time range,"
            " with a column number1.",
        ),
        Setting(
            "FIVE9_REPORT_LIMIT",
            "How many rows a report gives at most: so many count as cut off.",
            default="5000",
        ),
        Setting(
            "FIVE9_REPORT_WAIT_SECONDS", "How long a report may take to be made.", default="600"
        ),
        Setting(
            "FIVE9_MAX_LOOKUPS",
            "With more changed numbers than this a delta run reads all contacts instead.",
            default="500",
        ),
        Setting(
            "FIVE9_LIMIT_WAIT_SECONDS",
            "How long a run waits for an operation limit that is used up; a longer one ends it.",
            default="120",
        ),
    ),
)
