"""A report as one HTML file that needs nothing else."""

from __future__ import annotations

from django.template.loader import render_to_string

from ingestion.models import AutomationReport
from ingestion.services.automation import report


def page(found: AutomationReport) -> str:
    """Everything of the report, plots as bars."""
    content = report.to_dict(found)
    most = max((hour["complete"] + hour["failed"] for hour in content["hours"]), default=0)
    slowest = max((route["mean_seconds"] for route in content["slowest"]), default=0)
    told = {
        "report": content,
        "headline": report.headline(found),
        "most_runs": max(most, 1),
        "slowest_seconds": max(slowest, 1),
    }
    return render_to_string("automation/report.html", told)
