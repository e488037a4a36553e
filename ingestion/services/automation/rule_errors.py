"""What the automation refuses."""

from __future__ import annotations

from ingestion.pool.errors import PoolError


class UnknownRule(PoolError, LookupError):
    """There is no such rule."""

    code = "UNKNOWN_RULE"


class ActNotFound(PoolError, LookupError):
    """There is no such recommendation."""

    code = "ACT_NOT_FOUND"


class AlreadyDecided(PoolError):
    """The recommendation was decided on before."""

    code = "ALREADY_DECIDED"


class ReportNotFound(PoolError, LookupError):
    """There is no such report."""

    code = "REPORT_NOT_FOUND"
