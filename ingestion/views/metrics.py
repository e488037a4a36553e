"""The pool's figures for Prometheus; for those who have the token or call from an allowed network."""

from __future__ import annotations

import hmac
from functools import cache

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from ingestion.conf import MetricsConf, metrics_conf
from ingestion.pool.errors import PoolUnavailable
from ingestion.services.reporting.metrics import QUEUE_LIMIT, exposition
from ingestion.services.reporting.route_figures import LedgerFigures
from ingestion.services.security.addresses import parsed
from ingestion.services.worker_pool import get_worker_pool
from ingestion.views.answers import error, unavailable


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """401 where a token would help, 403 where nothing does, 503 when the pool is out of reach."""
    conf = metrics_conf()
    if not (_has_token(request, conf) or _is_near(request, conf)):
        return _refused(conf)
    try:
        snapshot = get_worker_pool().snapshot(queue_limit=QUEUE_LIMIT)
    except PoolUnavailable as problem:
        return unavailable(problem)
    return HttpResponse(exposition(snapshot, ledger_figures()), content_type=CONTENT_TYPE_LATEST)


@cache
def ledger_figures() -> LedgerFigures:
    """Those of this process."""
    return LedgerFigures()


def _has_token(request: HttpRequest, conf: MetricsConf) -> bool:
    """Takes the same time whatever the two have in common."""
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    is_equal = hmac.compare_digest(given.strip().encode(), conf.token.encode())
    return bool(conf.token) and kind.lower() == "bearer" and is_equal


def _is_near(request: HttpRequest, conf: MetricsConf) -> bool:
    """By the client's address: see TRUSTED_PROXIES."""
    address = parsed(request.META.get("REMOTE_ADDR", ""))
    return address is not None and any(address in network for network in conf.networks)


def _refused(conf: MetricsConf) -> HttpResponse:
    if not conf.token:
        return error(
            403, "NOT_ALLOWED", "Metrics are closed here; see METRICS_TOKEN and METRICS_NETWORKS."
        )
    answer = error(401, "NOT_LOGGED_IN", "Send the token: 'Authorization: Bearer <METRICS_TOKEN>'.")
    answer["WWW-Authenticate"] = "Bearer"
    return answer
