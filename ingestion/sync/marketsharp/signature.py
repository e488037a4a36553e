"""MarketSharp's signature: every request is signed again with the time of its sending."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

import requests
from requests.auth import AuthBase

from ingestion.sync.common.errors import CredentialsError
from ingestion.sync.marketsharp import settings as names


def signature(company_id: str, user_key: str, epoch_seconds: int, secret: bytes) -> str:
    """base64(HMAC-SHA256(secret, company + user key + seconds)), as the vendor's SDK makes it."""
    message = f"{company_id}{user_key}{epoch_seconds}".encode()
    return base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()


class SignedAuth(AuthBase):
    """``Authorization: company:key:seconds:signature``, without a scheme."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Raises CredentialsError where the secret is not base64."""
        self._company_id = settings[names.COMPANY_ID]
        self._user_key = settings[names.USER_KEY]
        try:
            self._secret = base64.b64decode(settings[names.SECRET_KEY], validate=True)
        except binascii.Error:
            raise CredentialsError(
                f"MarketSharp's secret is not base64; copy {names.SECRET_KEY} as it is shown in "
                "Admin > API Maintenance."
            ) from None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        now = int(time.time())
        signed = signature(self._company_id, self._user_key, now, self._secret)
        request.headers["Authorization"] = f"{self._company_id}:{self._user_key}:{now}:{signed}"
        return request
