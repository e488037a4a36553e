"""A spreadsheet of one tab whose cells a test sets."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.truth.world import serve

TAB = "Spend"
RANGE = re.compile(r"!(\d+):(\d+)$")
# What may be asked of a range, beside its place.
OPTIONS = {
    "valueRenderOption": ("FORMATTED_VALUE", "UNFORMATTED_VALUE"),
    "dateTimeRenderOption": ("SERIAL_NUMBER",),
}


@cache
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, form, serialization.NoEncryption()).decode()


@dataclass
class Sheet:
    """``rows``: a cell is a text, or a pair of what it shows and what it holds."""

    rows: list[list[Any]] = field(default_factory=list)
    locale: str = "en_US"
    time_zone: str = "America/Chicago"
    grid_rows: int = 100
    before_range: Callable[[int], None] = lambda first: None
    asked: list[str] = field(default_factory=list)

    def settings(self, server: HTTPServer) -> dict[str, str]:
        url = serve(server, self.answer)
        key = {
            "type": "service_account",
            "client_email": "reader@example.com",
            "token_uri": f"{url}/token",
            "private_key": private_key(),
        }
        return {
            "GSHEET_BASE_URL": url,
            "GSHEET_SERVICE_ACCOUNT": json.dumps(key),
            "GSHEET_LEADS_SPREADSHEET_ID": "L",
            "GSHEET_SPENDS_SPREADSHEET_ID": "S",
            "GSHEET_LEADS_TAB": TAB,
            "GSHEET_SPENDS_TAB": TAB,
            "GSHEET_REQUESTS_PER_MINUTE": "100000",
        }

    def answer(self, request: Request) -> Mapping[str, Any] | Response:
        self.asked.append(request.path)
        if request.path == "/token":
            return {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"}
        if place := RANGE.search(request.path):
            if any(value not in OPTIONS.get(name, ()) for name, value in request.args.items()):
                return Response("{}", 400, content_type="application/json")
            is_held = request.args.get("valueRenderOption") == "UNFORMATTED_VALUE"
            return self.values(int(place[1]), int(place[2]), is_held=is_held)
        tab = {"title": TAB, "gridProperties": {"rowCount": self.grid_rows}}
        properties = {"locale": self.locale, "timeZone": self.time_zone}
        return {"properties": properties, "sheets": [{"properties": tab}]}

    def values(self, first: int, last: int, *, is_held: bool) -> Mapping[str, Any]:
        self.before_range(first)
        found = [[_cell(cell, is_held) for cell in row] for row in self.rows[first - 1 : last]]
        for row in found:
            while row and row[-1] == "":
                row.pop()
        while found and not found[-1]:
            found.pop()
        body = {"range": f"'{TAB}'!A{first}:Z{last}", "majorDimension": "ROWS"}
        return {**body, "values": found} if found else body


def _cell(cell: Any, is_held: bool) -> Any:
    return cell[is_held] if isinstance(cell, tuple) else cell
