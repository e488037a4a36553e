"""What a CRM's source is built with: its settings, and what all sources of this process share."""

from __future__ import annotations

import logging

from ingestion.conf import crm_environment, warehouse_conf
from ingestion.models import CrmBreaker
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.runs.rate_limits import shared_rate_limiter
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm_settings, require_connected
from ingestion.sync.common.source import Meter, SourceContext

logger = logging.getLogger(__name__)

# A CRM that failed just now is asked less often, until a run has succeeded.
ATTEMPTS_IN_DOUBT = 2


def source_context(crm_source: str, reporter: Reporter, meter: Meter) -> SourceContext:
    """Raises NotConnected, and CredentialsError that names the settings that are missing."""
    require_connected(crm_source)
    conf = warehouse_conf()
    return SourceContext(
        settings=crm_settings(crm_source, crm_environment()),
        timeout_seconds=conf.http_timeout_seconds,
        max_attempts=_attempts(crm_source, conf.http_attempts),
        first_delay_seconds=conf.http_first_delay_seconds,
        meter=meter,
        reporter=reporter,
        limiter=shared_rate_limiter(),
    )


def _attempts(crm_source: str, usual: int) -> int:
    """How often a request is tried; fewer times while the CRM's last attempts failed."""
    try:
        row = CrmBreaker.objects.filter(crm_source=crm_source).first()
    except DATABASE_ERRORS as problem:
        logger.warning("the breaker of %s could not be read: %r", crm_source, problem)
        return usual
    is_in_doubt = row is not None and (row.is_open or row.recent[-1:] == ["down"])
    return min(usual, ATTEMPTS_IN_DOUBT) if is_in_doubt else usual
