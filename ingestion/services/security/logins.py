"""Logins that were tried from one address, whatever the names.

django-axes counts a name from an address; whoever tries a few passwords with many names is counted
here, from the same records.
"""

from __future__ import annotations

from typing import Any

from axes.exceptions import AxesBackendPermissionDenied
from axes.models import AccessAttempt
from django.db.models import Sum
from django.http import HttpRequest
from django.utils import timezone

from ingestion.conf import site_conf
from ingestion.services.security.addresses import caller_group


class AddressBackend:
    """Lets nobody in and knows nobody; stands before the backends that do, and stops them."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Raises PermissionDenied after too many failures from one address."""
        conf = site_conf()
        if request is None or not conf.login_failures_per_address:
            return
        since = timezone.now() - conf.login_locked
        attempts = AccessAttempt.objects.filter(
            ip_address=caller_group(request), attempt_time__gte=since
        )
        failures = attempts.aggregate(count=Sum("failures_since_start"))["count"] or 0
        if failures >= conf.login_failures_per_address:
            # For the middleware of django-axes, which shows the page.
            request.axes_locked_out = True  # type: ignore[attr-defined]
            raise AxesBackendPermissionDenied("Too many failed logins from this address.")
