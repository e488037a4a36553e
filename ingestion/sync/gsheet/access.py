"""Google's service account as requests' authentication."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request as TokenRequest
from google.oauth2.service_account import Credentials
from requests.auth import AuthBase

from ingestion.sync.common.errors import CredentialsError, PermanentError, TransientError
from ingestion.sync.gsheet.settings import SERVICE_ACCOUNT
from ingestion.sync.http.errors import cut_off, is_transient, not_json

SCOPES = ("https://www.googleapis.com/auth/spreadsheets.readonly",)
CURE = f"check {SERVICE_ACCOUNT}"


class ServiceAccountAuth(AuthBase):
    """Fetches a token by a signed JWT before the first request, and again when it runs out."""

    def __init__(self, key: str, *, timeout_seconds: float) -> None:
        """``key``: a path or the JSON itself. Raises CredentialsError."""
        self._credentials = _credentials(key)
        self._refreshing = threading.Lock()
        self._session = requests.Session()
        self._ask_for_token = TokenTransport(self._session, timeout_seconds=timeout_seconds)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self._refreshing:  # of several requests at once the first one does it
            if not self._credentials.valid:
                self._refresh()
        request.headers["Authorization"] = f"Bearer {self._credentials.token}"
        return request

    def close(self) -> None:
        self._session.close()

    def _refresh(self) -> None:
        """``from None``: the library's errors may quote the answer and what was signed."""
        try:
            self._credentials.refresh(self._ask_for_token)  # type: ignore[no-untyped-call]
        except GoogleAuthError:
            raise CredentialsError(
                f"Google Sheets refused the service account; {CURE}, and that its key is not revoked."
            ) from None


class TokenTransport:
    """How google-auth reaches the token server. Only an answer of that server says something about
    the account; what is none, such as a 500 or a web page, raises a SyncError here, and attempts
    are counted by our own policy."""

    def __init__(self, session: requests.Session, *, timeout_seconds: float) -> None:
        self._send: Callable[..., Any] = TokenRequest(session)
        self._timeout_seconds = timeout_seconds

    def __call__(self, url: str, method: str = "GET", **request: Any) -> Any:
        limited = {**request, "timeout": self._timeout_seconds}
        label = f"Google Sheets {method} {urlsplit(url).path}"
        try:
            answer = self._send(url=url, method=method, **limited)
        except TransportError as problem:
            raise cut_off(label, problem) from None
        if is_transient(answer.status):
            raise TransientError(f"{label} failed ({answer.status}); try again later.")
        if answer.status == requests.codes.ok:
            _check_token(label, answer)
        return answer


def _check_token(label: str, answer: Any) -> None:
    try:
        is_token = isinstance(json.loads(answer.data), dict)
    except ValueError:
        content_type = answer.headers.get("Content-Type", "")
        raise not_json(label, answer.data, content_type) from None
    if not is_token:
        raise PermanentError(f"{label} answered without a token; {CURE}.")


def _credentials(key: str) -> Credentials:
    try:
        return Credentials.from_service_account_info(_key_data(key), scopes=SCOPES)  # type: ignore[no-any-return, no-untyped-call]
    except (OSError, ValueError, GoogleAuthError):
        raise CredentialsError(
            f"Google Sheets' service account cannot be read; {CURE}: "
            "it must be the path of the JSON key file, or that JSON."
        ) from None


def _key_data(key: str) -> dict[str, Any]:
    text = key if key.lstrip().startswith("{") else Path(key).expanduser().read_text()
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return data
