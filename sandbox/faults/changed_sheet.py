"""The fault ``column`` in Google Sheets: somebody has deleted a column, and added one at the end."""

from __future__ import annotations

import re
from typing import Any

from sandbox.crms.gsheet import LEAD_HEADERS, LEADS_ID, SPEND_HEADERS

RANGE = re.compile(r"/values/.*!(\d+):\d+$")
VANISHED = {LEADS_ID: "utm_campaign", "": "Channel"}
RETYPED = {LEADS_ID: "hold_time", "": "Cost"}
NEW, NEW_VALUE, OTHER_VALUE = "added by fault", "new", "not known"


def changed(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The cells of a range; any other answer as it is."""
    match = RANGE.search(path)
    if match is None or "values" not in body:
        return body
    is_leads = f"/{LEADS_ID}/" in path
    file_id, headers = (LEADS_ID, LEAD_HEADERS) if is_leads else ("", SPEND_HEADERS)
    first = int(match[1])
    rows = [
        _row(cells, headers, file_id, is_header=first + n == 1)
        for n, cells in enumerate(body["values"])
    ]
    return {**body, "values": rows}


def _row(cells: list[str], headers: list[str], file_id: str, *, is_header: bool) -> list[str]:
    """An empty row stays one."""
    if not any(cells):
        return cells
    full = [*cells, *[""] * (len(headers) - len(cells))]
    if not is_header:
        full[headers.index(RETYPED[file_id])] = OTHER_VALUE
    del full[headers.index(VANISHED[file_id])]
    return [*full, NEW if is_header else NEW_VALUE]
