"""What a comparison of a CRM with the warehouse has found, and what to do about it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ingestion.services.requests.routing import ALL, command_name
from ingestion.sync.common.source import Crm

EXAMPLES = 5
# What makes a table differ from its CRM.
FAULTS = (
    "missing",
    "extra",
    "different",
    "duplicates",
    "wrong_values",
    "unread",
    "undeleted",
    "changed_hashes",
)


@dataclass
class ModelReport:
    """How one model's table stands to the CRM; counts are records. ``not_offered`` says why this
    account has no such model: then nothing was compared. ``forgotten``: rows so old that the CRM no
    longer keeps their records; they are no fault. For what the second reading fills see ``Findings``;
    ``changed_hashes``: rows whose values are right and whose ``_row_hash`` is not.
    ``advice``: what to do about it."""

    crm_source: str
    model: str
    source_rows: int = 0
    warehouse_rows: int = 0
    missing: int = 0
    extra: int = 0
    different: int = 0
    duplicates: int = 0
    forgotten: int = 0
    wrong_values: int = 0
    unread: int = 0
    undeleted: int = 0
    changed_hashes: int = 0
    sent: int | None = None
    counted: str | None = None
    is_miscounted: bool = False
    looked_up: int = 0
    wrong_types: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    advice: str | None = None
    not_offered: str | None = None

    @property
    def is_equal(self) -> bool:
        return not (self.is_miscounted or self.wrong_types or any(self.faults.values()))

    @property
    def faults(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in FAULTS}

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "is_equal": self.is_equal}

    def repair(self, found: Crm) -> str:
        """The command that makes the table equal; else that nothing but another release does."""
        is_routed = self.model in found.sync_types
        command = f"manage.py {command_name(found.name, self.model if is_routed else ALL)}"
        if self.is_miscounted or self.unread or self.undeleted > self.missing:
            return (
                "the sync does not reach every record, and another run does not mend that: report it"
                f" with these examples; {found.name}'s README says what is known of its paging"
            )
        if self.wrong_values > self.different:
            return (
                "the conversion makes other values of what was sent, and another run does not mend"
                " that: report it with these examples"
            )
        if self.source_rows == 0 and self.warehouse_rows:
            return f"if the CRM really has no records any more: {command} --full --force"
        return f"{command} --full"

    def add_example(self, what: str, key: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what} {key.replace(chr(0x1F), ', ')}")
