"""Asks a CRM over HTTP for what the second reading wants to know; nothing is made of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import requests

from ingestion.sync.common.rate_limit import Rate
from ingestion.sync.common.source import Heard, SourceContext
from ingestion.sync.http.client import Answer, HttpApi, HttpClient
from ingestion.sync.raw.parsing import json_of

GONE: Final = (404, 410)


class Asker:
    """Keeps to the CRM's rates and retries as its sync does."""

    def __init__(self, api: HttpApi, context: SourceContext) -> None:
        self._http = HttpClient(replace(api, parse=_untouched), replace(context, hear=None))

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Heard | None:
        """None where there is no such thing. Raises SyncError."""
        return _heard(self._http.get(path, params, accept=GONE))

    def get_json(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """None where there is no such thing, or where the answer is no JSON. Raises SyncError."""
        heard = self.get(path, params)
        return heard and json_of(heard.content, heard.content_type)

    def post_json(
        self, path: str, body: Mapping[str, Any], *, rates: tuple[Rate, ...] = (), **params: Any
    ) -> Any:
        """``rates``: more than the API's own."""
        heard = _heard(self._http.post(path, body, params=params, rates=rates))
        return heard and json_of(heard.content, heard.content_type)

    def close(self) -> None:
        self._http.close()


def _untouched(label: str, response: requests.Response) -> None:
    """An answer stays as it came."""


def _heard(answer: Answer) -> Heard | None:
    if answer.status in GONE:
        return None
    response = answer.response
    kind = response.headers.get("Content-Type", "")
    return Heard(str(response.url), response.content, kind)
