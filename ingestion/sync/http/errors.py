"""Which SyncError a failed request is, and its sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from ingestion.sync.common.errors import (
    CredentialsError,
    NotAllowed,
    PermanentError,
    QuotaExceeded,
    SyncError,
    Throttled,
    TimedOut,
    TooLarge,
    TransientError,
)
from ingestion.sync.common.rate_limit import Rate

# 5xx come on top. 408 and 425 are answers to bad timing, not to a bad request.
TRANSIENT_STATUSES = frozenset({408, 425, 429})
TIMEOUT_STATUSES = frozenset({408, 504, 524})  # 524: Cloudflare has waited for the origin
PERMANENT_5XX = frozenset({501, 505, 530})  # 530: Cloudflare has no such origin
DETAIL_LIMIT = 200  # characters of the CRM's own words in a message


@dataclass(frozen=True)
class Refusal:
    """An answer that is none. ``body``: the JSON object, {} where there is none; ``text``: the
    body as text. Neither may go into a message except through ``detail``."""

    label: str
    title: str
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    text: str = field(repr=False)
    credentials: tuple[str, ...] = ()
    secrets: tuple[str, ...] = field(default=(), repr=False)
    retry_after_seconds: float | None = None

    @property
    def detail(self) -> str:
        """``: what the CRM says``, short and without secrets; "" where it says nothing."""
        words = _own_words(self.body) or ("" if is_html(self.text) else self.text)
        for secret in self.secrets:
            words = words.replace(secret, "***")
        words = " ".join(words.split())
        return f": {words[:DETAIL_LIMIT].rstrip('. ')}" if words else ""

    @property
    def credential_names(self) -> str:
        return ", ".join(self.credentials) or "its settings"


def refused(refusal: Refusal) -> SyncError:
    """The common mapping of statuses to errors."""
    label, status, detail = refusal.label, refusal.status, refusal.detail
    if status == 401:
        return CredentialsError(
            f"{label} refused the credentials (401{detail}); check {refusal.credential_names}."
        )
    if status == 403:
        return NotAllowed(
            f"{label} is not allowed for these credentials (403{detail});"
            f" give those of {refusal.credential_names} the right to read it."
        )
    if status == 429:
        return Throttled(
            f"{label} answers that there were too many requests (429{detail}); try again later.",
            retry_after_seconds=refusal.retry_after_seconds,
        )
    if is_transient(status):
        kind = TimedOut if status in TIMEOUT_STATUSES else TransientError
        return kind(
            f"{label} failed on the server's side ({status}{detail}); try again later.",
            retry_after_seconds=refusal.retry_after_seconds,
        )
    if 300 <= status < 400:
        host = urlsplit(refusal.headers.get("Location", "")).netloc or "elsewhere"
        return PermanentError(f"{label} redirects to {host} ({status}); check the base URL.")
    if status == 404:
        return PermanentError(
            f"{label} does not exist (404{detail}); check the base URL and the API version."
        )
    message = f"{label} refused the request ({status}{detail})."
    return TooLarge(message) if status == 413 else PermanentError(message)


def is_transient(status: int) -> bool:
    return status in TRANSIENT_STATUSES or (500 <= status < 600 and status not in PERMANENT_5XX)


def budget_used_up(label: str, rate: Rate, *, wait_seconds: float) -> QuotaExceeded:
    """The request was not sent: it would have been over what the CRM allows."""
    resets_at = datetime.now(UTC) + timedelta(seconds=wait_seconds)
    return QuotaExceeded(
        f"{label} was not sent, because the budget of {rate.requests} requests in"
        f" {rate.window_seconds:g} seconds ({rate.name}) is used up; run it again after"
        f" {resets_at:%Y-%m-%d %H:%M} UTC.",
        resets_at=resets_at,
    )


def cut_off(label: str, problem: Exception) -> TransientError:
    kind = TimedOut if isinstance(problem, requests.Timeout) else TransientError
    return kind(
        f"{label} got no complete answer ({type(problem).__name__});"
        " check the network and the base URL, or try again later."
    )


def no_tls(label: str, base_url: str, problem: Exception) -> SyncError:
    """A wrong certificate stays wrong; any other end of a TLS connection is a cut one."""
    if "CERTIFICATE_VERIFY_FAILED" not in str(problem):
        return cut_off(label, problem)
    host = urlsplit(base_url).hostname
    return PermanentError(
        f"{label} was not asked, because the certificate of {host} is not trusted;"
        " check the base URL, or name your own authority in REQUESTS_CA_BUNDLE."
    )


def unsendable(label: str, credentials: tuple[str, ...]) -> PermanentError:
    names = ", ".join(credentials) or "the credentials"
    return PermanentError(
        f"{label} cannot be sent: the base URL or {names} hold characters that HTTP does not allow."
    )


def not_json(label: str, content: bytes, content_type: str) -> SyncError:
    """A web page is a wrong address or a login; anything else an answer that broke off."""
    if "html" in content_type.lower() or is_html(content[:200].decode("utf-8", "replace")):
        return PermanentError(
            f"{label} answered with a web page in place of JSON; check the base URL."
        )
    return TransientError(f"{label} sent JSON that breaks off or is damaged; try again later.")


@contextmanager
def documented_shape(label: str) -> Iterator[None]:
    """What reads an answer stands inside: a missing field is the CRM's, and a PermanentError."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError) as problem:
        raise PermanentError(
            f"{label}: an answer has not the documented shape ({type(problem).__name__});"
            " the API may have changed."
        ) from problem


def is_html(text: str) -> bool:
    return text.lstrip()[:15].lower().startswith(("<!doctype", "<html", "<head", "<body"))


def _own_words(body: Mapping[str, Any]) -> str:
    """The message of an error body in the shapes that CRMs use."""
    for name in ("message", "error", "description", "detail", "error_description"):
        value = body.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, dict) and (inner := _own_words(value)):
            return inner
    return ""
