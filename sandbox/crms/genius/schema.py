"""The 28 tables of Genius.

Ten of them follow what is known of the real ones (README of ``ingestion/sync/genius``); the
others, marked "own form", are defined here in the same manner: singular names, DECIMAL money,
naive DATETIME in server time, ids that point at each other without declared foreign keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    Time,
)
from sqlalchemy.types import TypeEngine

Columns = list[Column[Any]]

metadata = MetaData()


def _columns(kind: TypeEngine[Any], names: str) -> Columns:
    return [Column(name, kind, nullable=True) for name in names.split()]


def _words(names: str) -> Columns:
    return _columns(String(120), names)


def _texts(names: str) -> Columns:
    return _columns(Text(), names)


def _ids(names: str) -> Columns:
    return _columns(Integer(), names)


def _flags(names: str) -> Columns:
    return _columns(Boolean(), names)


def _money(names: str) -> Columns:
    return _columns(Numeric(12, 2), names)


def _moments(names: str) -> Columns:
    return _columns(DateTime(), names)


def _dates(names: str) -> Columns:
    return _columns(Date(), names)


def _table(name: str, *groups: Columns, key: str = "id", tracked: bool = True) -> None:
    """``tracked``: the table has ``updated_at``."""
    columns: Columns = [Column(key, Integer, primary_key=True, autoincrement=False)]
    columns += [column for group in groups for column in group]
    if tracked:
        columns.append(Column("updated_at", DateTime, nullable=True, index=True))
    Table(name, metadata, *columns, mysql_charset="utf8mb4")


_ADDRESS = "address1 address2 city state zip"

# Lookups without a time stamp: only a full read sees what changed. Own form.
for _name in ("prospect_status", "prospect_type", "rep_type", "task_type", "workflow_step_type"):
    _table(_name, _words("label"), _ids("sort_order"), _flags("is_active"), tracked=False)
_table("tag_group", _words("label color"), _ids("sort_order"), _flags("is_active"), tracked=False)

# Own form.
_table("lead_source", _words("name channel"), _money("cost_per_lead"), _flags("is_active"))
_table("tag", _ids("tag_group_id"), _words("label"), _flags("is_active"))
_table("referrer", _words("first_name last_name phone email"), _money("fee"), _moments("add_date"))
_table("team", _words("name"), _ids("division_id manager_user_id"), _flags("is_active"))
_table("rep", _ids("user_id rep_type_id team_id"), _dates("start_date end_date"),
       _columns(Numeric(5, 4), "commission_rate"))  # fmt: skip
_table("workflow", _words("name"), _texts("description"), _flags("is_active"))
_table("workflow_step", _ids("workflow_id step_type_id position"), _words("name"),
       _columns(JSON(), "settings"), _flags("is_active"))  # fmt: skip

_table(
    "user_data",
    _ids("division_id title_id manager_user_id"),
    _words("first_name last_name email personal_email password_hash"),
    _dates("birth_date hired_on start_date inactive_on"),
    _flags("is_inactive"),
    key="user_id",
)
_table(
    "prospect",
    _ids("division_id user_id status_id type_id"),
    _words(f"first_name last_name alt_first_name alt_last_name {_ADDRESS} county"),
    _ids("year_built"),
    _words("phone1 phone2 email"),
    _texts("notes"),
    _ids("add_user_id"),
    _moments("add_date"),
    _words("marketsharp_id leap_customer_id"),
    _ids("third_party_source_id"),
)
_table(
    "prospect_source",
    _ids("prospect_id marketing_source_id"),
    _dates("source_date"),
    _texts("notes"),
    _ids("add_user_id"),
    _moments("add_date"),
    _ids("source_user_id"),
)
_table(
    "lead",
    _ids("contact division"),
    _words(f"first_name last_name {_ADDRESS} email phone1 phone2 phone3 phone4"),
    _ids("type1 type2 type3 type4 source"),
    _texts("source_notes"),
    _moments("sourced_on"),
    _words("job_type"),
    _ids("rating status substatus added_by"),
    _moments("added_on"),
    _ids("copied_to_id"),
    _money("lead_cost"),
    _ids("marketing_source prospect_id"),
    _columns(BigInteger(), "salesrabbit_lead_id"),
    _ids("third_party_source_id"),
    _columns(Float(53), "latitude longitude"),
    _flags("is_estimate_confirmed is_homeowner"),
    key="lead_id",
)
# Own form: the people of a prospect.
_table(
    "contact",
    _ids("prospect_id"),
    _words("first_name last_name relation phone email"),
    _flags("is_primary may_text"),
    _moments("add_date"),
)
_table(
    "appointment",
    _ids("prospect_id prospect_source_id user_id type_id"),
    _dates("date"),
    _columns(Time(), "time"),
    _ids("duration"),
    _words(f"{_ADDRESS} email"),
    _texts("notes"),
    _ids("add_user_id"),
    _moments("add_date assign_date confirm_date"),
    _ids("confirm_user_id spouses_present"),
    _flags("is_complete"),
    _ids("complete_outcome_id complete_user_id"),
    _moments("complete_date"),
    _words("marketsharp_id marketsharp_appt_type leap_estimate_id"),
)
_table(
    "job",
    _words("client_cid"),
    _ids("prospect_id division_id user_id status service_id"),
    _words("contract_number"),
    _dates("contract_date start_date end_date install_date cancel_date"),
    _money("contract_amount job_value deposit_amount"),
    _ids("sold_user_id"),
    _moments("sold_date"),
    _columns(Float(53), "square_feet"),
    _flags("is_financed"),
    _texts("production_notes"),
    _ids("add_user_id"),
    _moments("add_date"),
)
_table(
    "job_change_order",
    _ids("job_id"),
    _words("number"),
    _ids("status_id type_id adjustment_change_order_id"),
    _dates("effective_date"),
    _money("total_amount total_contract_amount total_pre_change_orders_amount"),
    _ids("add_user_id sold_user_id cancel_user_id reason_id"),
    _moments("add_date sold_date cancel_date"),
    _words("envelope_id signer_name signer_email"),
    _columns(LargeBinary(), "envelope_digest"),
    _texts("financing_note"),
)
_table(
    "job_change_order_item",
    _ids("change_order_id"),
    _texts("description"),
    _money("amount"),
    _moments("created_at"),
)
# Own form: a change that the customer requests, before it becomes a job's change order.
_table(
    "change_order",
    _ids("job_id prospect_id requested_by_user_id"),
    _words("number status"),
    _dates("requested_on approved_on"),
    _money("total_amount"),
    _texts("reason"),
)
_table(
    "change_order_item",
    _ids("change_order_id position"),
    _words("description"),
    _columns(Numeric(10, 3), "quantity"),
    _money("unit_price amount"),
)
_table(
    "task",
    _ids("task_type_id workflow_step_id prospect_id job_id assigned_user_id"),
    _words("title"),
    _texts("description"),
    _moments("due_at completed_at"),
    _flags("is_complete"),
)
_table(
    "marketsharp_contacts",
    _words("external_id first_name last_name email phone address_1 address_2 city state zip"),
    _ids("marketing_source_id prospect_source_id"),
    _words("lead_status"),
    _dates("appointment_date"),
    _columns(Time(), "appointment_time"),
    _texts("notes"),
    _flags("active"),
    _moments("created_at"),
)
# Own form, like its two neighbours.
_table(
    "marketsharp_leads",
    _words("external_id"),
    _ids("contact_id marketing_source_id"),
    _words("lead_status product_interest"),
    _dates("inquiry_date"),
    _texts("notes"),
    _flags("active"),
    _moments("created_at"),
)
_table(
    "marketsharp_appointments",
    _words("external_id"),
    _ids("contact_id"),
    _dates("appointment_date"),
    _columns(Time(), "appointment_time"),
    _ids("appointment_type_id salesperson_id"),
    _words("lead_source"),
    _ids("marketing_source_id"),
    _words("appointment_status"),
    _ids("outcome_id"),
    _texts("notes"),
    _dates("follow_up_date"),
    _flags("active"),
    _moments("created_at"),
)

TABLES: Mapping[str, Table] = dict(metadata.tables)

# Model to table, where the table's name is not simply the singular.
_NAMED_OTHERWISE = {
    "users": "user_data",
    "prospect_statuses": "prospect_status",
    "marketsharp_contacts": "marketsharp_contacts",
    "marketsharp_leads": "marketsharp_leads",
    "marketsharp_appointments": "marketsharp_appointments",
}
MODEL_TABLES: Mapping[str, str] = _NAMED_OTHERWISE | {
    f"{name}s": name for name in TABLES if name not in _NAMED_OTHERWISE.values()
}


def key_column(table: Table) -> Column[int]:
    """The one column of a table's primary key."""
    (column,) = table.primary_key.columns
    return column
