"""What a CRM's source is built with: its settings, and what all sources of this process share."""

from __future__ import annotations

from ingestion.conf import crm_environment, warehouse_conf
from ingestion.services.rate_limits import shared_rate_limiter
from ingestion.sync.common.progress import Reporter
from ingestion.sync.common.registry import crm_settings, require_connected
from ingestion.sync.common.source import Meter, SourceContext


def source_context(crm_source: str, reporter: Reporter, meter: Meter) -> SourceContext:
    """Raises NotConnected, and CredentialsError that names the settings that are missing."""
    require_connected(crm_source)
    conf = warehouse_conf()
    return SourceContext(
        settings=crm_settings(crm_source, crm_environment()),
        timeout_seconds=conf.http_timeout_seconds,
        max_attempts=conf.http_attempts,
        first_delay_seconds=conf.http_first_delay_seconds,
        meter=meter,
        reporter=reporter,
        limiter=shared_rate_limiter(),
    )
