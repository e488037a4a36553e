"""Makes a report and tells of it."""

from __future__ import annotations

from ingestion.models import AutomationReport
from ingestion.pool.change import UNSIGNED, ChangeRequest
from ingestion.services.automation import notices, report
from ingestion.services.security import audit


def generate(
    *, hours: float = 12, tells: bool = True, change: ChangeRequest = UNSIGNED
) -> tuple[AutomationReport, bool | None]:
    """The report, and whether everybody was told; None: nobody was to be."""
    made = report.make(hours=hours, change=change)
    told = notices.send("Syncs of the data warehouse", _text(made)) if tells else None
    audit.record(
        "report",
        change=change,
        target=f"report {made.pk}",
        after={"hours": hours, "told": told},
    )
    return made, told


def _text(made: AutomationReport) -> str:
    """The headline and what is open or was done."""
    acts = made.content["recommendations"]
    return "\n".join(
        [report.headline(made), *(f"- {a['sentence']} ({a['outcome']})" for a in acts)]
    )
