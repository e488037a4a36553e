"""HubSpot's sandbox, and a client for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from werkzeug.test import Client, TestResponse

from sandbox.base import SandboxConf
from sandbox.crms.hubspot import HubspotSandbox
from sandbox.crms.hubspot.api import TOKEN

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
OBJECTS = "/crm/v3/objects"


def opened(tmp_path: Path, *, seed: int = 1, rows: int = 300) -> HubspotSandbox:
    return HubspotSandbox(SandboxConf(tmp_path, seed=seed, rows=rows))


class Caller:
    """Asks with the right token unless told otherwise."""

    def __init__(self, sandbox: HubspotSandbox) -> None:
        self.sandbox = sandbox
        self._client = Client(sandbox.wsgi())

    def get(self, path: str, *, token: str | None = TOKEN, **params: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._client.get(path, query_string=params, headers=headers)

    def post(self, path: str, body: Any) -> TestResponse:
        return self._client.post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}"})

    def search(self, kind: str, *filters: dict[str, Any], **more: Any) -> TestResponse:
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
        return self.post(f"{OBJECTS}/{kind}/search", body)

    def found(self, kind: str, *filters: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        """The results of a search that is accepted."""
        answer = self.search(kind, *filters, **{"limit": 200, **more})
        assert answer.status_code == 200, answer.text
        return answer.json["results"]


def where(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    given = {} if value is None else {"values" if isinstance(value, list) else "value": value}
    return {"propertyName": name, "operator": operator, **given, **more}
