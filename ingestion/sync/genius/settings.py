"""Genius: its models and its settings.

Columns and their types are read from the database; a table's name, its key and its cursor stand
here. Parents come before what hangs on them.
"""

from dataclasses import dataclass

from ingestion.sync.common.source import Crm, Model, Setting

DATABASE_URL = "GENIUS_DATABASE_URL"
TIME_ZONE = "GENIUS_TIME_ZONE"

# A transaction that is open while a sync reads is committed with an updated_at of before.
OVERLAP_SECONDS = 120
NO_CURSOR = "the table has no updated_at: every run reads all of it"


@dataclass(frozen=True)
class GeniusModel(Model):
    """A model and the table that it is read from. ``added_column``: when a row was added; it
    stands for ``updated_at`` in rows that were never touched since."""

    table: str = ""
    added_column: str | None = None


def _tracked(
    name: str, table: str, *, key: str = "id", added: str | None = None, note: str = ""
) -> GeniusModel:
    return GeniusModel(
        name,
        key=(key,),
        cursor="updated_at",
        incremental="cursor",
        overlap_seconds=OVERLAP_SECONDS,
        table=table,
        added_column=added,
        note=note,
    )


def _lookup(name: str, table: str) -> GeniusModel:
    return GeniusModel(name, table=table, note=NO_CURSOR)


CRM = Crm(
    name="genius",
    title="Genius",
    models=(
        _lookup("prospect_statuses", "prospect_status"),
        _lookup("prospect_types", "prospect_type"),
        _lookup("rep_types", "rep_type"),
        _lookup("tag_groups", "tag_group"),
        _lookup("task_types", "task_type"),
        _lookup("workflow_step_types", "workflow_step_type"),
        _tracked("lead_sources", "lead_source"),
        _tracked("referrers", "referrer", added="add_date"),
        _tracked("tags", "tag"),
        _tracked("users", "user_data", key="user_id"),
        _tracked("teams", "team"),
        _tracked("reps", "rep"),
        _tracked("workflows", "workflow"),
        _tracked("workflow_steps", "workflow_step"),
        _tracked("prospects", "prospect", added="add_date"),
        _tracked("prospect_sources", "prospect_source", added="add_date"),
        _tracked("contacts", "contact", added="add_date"),
        _tracked(
            "leads",
            "lead",
            key="lead_id",
            added="added_on",
            note="updated_at is null until somebody touches the lead",
        ),
        _tracked("appointments", "appointment", added="add_date"),
        _tracked("jobs", "job"),
        _tracked("job_change_orders", "job_change_order", added="add_date"),
        _tracked("job_change_order_items", "job_change_order_item", added="created_at"),
        _tracked("change_orders", "change_order"),
        _tracked("change_order_items", "change_order_item"),
        _tracked("tasks", "task"),
        _tracked("marketsharp_contacts", "marketsharp_contacts", added="created_at"),
        _tracked("marketsharp_leads", "marketsharp_leads", added="created_at"),
        _tracked("marketsharp_appointments", "marketsharp_appointments", added="created_at"),
    ),
    not_recorded="Genius is a MySQL database, which answers by a protocol of its own and not over HTTP;"
    " hand over what SHOW CREATE TABLE says of the table, and a few rows written by hand.",
    fallback="all",
    settings=(
        Setting(
            DATABASE_URL,
            "SQLAlchemy URL of Genius' database, e.g. "
            "mysql+pymysql://user:password@host:3306/genius; a read-only user is enough.",
            secret=True,
            required=True,
        ),
        Setting(
            TIME_ZONE,
            "Time zone of Genius' server, e.g. America/Chicago; its times carry none.",
            default="UTC",
        ),
    ),
)
