"""What the settings of the site, its database and its files lack before people can use it."""

from __future__ import annotations

from collections.abc import Iterator

from django.core.checks import CheckMessage, Error, Warning
from django.db import connection

from ingestion.conf import TransportConf, transport_conf
from ingestion.services.infra import preparation
from ingestion.services.infra.database import DATABASE_ERRORS
from ingestion.services.infra.preparation import DEPLOY

SHOWN = 3
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def settings_problems() -> list[CheckMessage]:
    """Asks nobody."""
    conf = transport_conf()
    return [*_environment(conf), *_hosts(conf), *_https(conf)]


def preparation_problems() -> list[CheckMessage]:
    """Tables, static files and the first account."""
    return [*_static_files(), *_database()]


def _environment(conf: TransportConf) -> Iterator[CheckMessage]:
    if not conf.is_production:
        yield Error(
            "DJANGO_ENV is development.",
            hint="Set DJANGO_ENV=production.",
            id="ingestion.E020",
        )


def _hosts(conf: TransportConf) -> Iterator[CheckMessage]:
    if "*" in conf.allowed_hosts:
        yield Warning(
            "ALLOWED_HOSTS allows every name, so that a forged Host header is believed.",
            hint="List the names under which the site is reached.",
            id="ingestion.W020",
        )
    elif not set(conf.allowed_hosts) - LOCAL_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS names this machine alone; by any other name the site answers 400.",
            hint="Set ALLOWED_HOSTS to the names under which the site is reached.",
            id="ingestion.W021",
        )


def _https(conf: TransportConf) -> Iterator[CheckMessage]:
    if not conf.secure_cookies:
        yield Warning(
            "SECURE_COOKIES is off: sessions and passwords can be read on their way.",
            hint="Put a proxy with TLS before the site (deploy/nginx), then take the setting out.",
            id="ingestion.W022",
        )
    elif not conf.trusted_proxies:
        yield Warning(
            "TRUSTED_PROXIES is empty: nobody is believed who says that a request came by HTTPS, "
            "and all people share the proxy's address.",
            hint="Set TRUSTED_PROXIES to the addresses of the proxy that ends TLS.",
            id="ingestion.W023",
        )
    if not conf.site_url:
        yield Warning(
            "SITE_URL is not set: notices lead to no page.",
            hint="Set SITE_URL, e.g. https://warehouse.example.com.",
            id="ingestion.W024",
        )


def _static_files() -> Iterator[CheckMessage]:
    if missing := preparation.uncollected_files():
        yield Error(
            f"{len(missing)} static files are not collected as they are now: {_some(missing)}.",
            hint=f"Run: {DEPLOY} (or collectstatic), then restart the web processes.",
            id="ingestion.E021",
        )


def _database() -> Iterator[CheckMessage]:
    try:
        if missing := preparation.unapplied_migrations():
            yield Error(
                f"{len(missing)} migrations have not run: {_some(missing)}.",
                hint=f"Run: {DEPLOY} (or migrate).",
                id="ingestion.E022",
            )
        elif not preparation.has_administrator():
            yield Error(
                "There is no account that may administer the site, and nobody can log in.",
                hint=f"Run: {DEPLOY} (or createsuperuser).",
                id="ingestion.E023",
            )
    except DATABASE_ERRORS as problem:
        yield Error(
            f"The ledger's database cannot be used: {type(problem).__name__}.",
            hint="Start it, or correct DATABASE_URL.",
            id="ingestion.E024",
        )
    finally:
        connection.close()


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
