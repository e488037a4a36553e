"""Google's own client: the spreadsheet, ranges one by one and several at once."""

import json
import sys

from google.oauth2.service_account import Credentials
from googleapiclient.discovery import build

settings = json.load(sys.stdin)
credentials = Credentials.from_service_account_info(
    json.loads(settings["GSHEET_SERVICE_ACCOUNT"]),
    scopes=["https://www.googleapis.com/auth/spreadsheets.readonly"],
)
service = build(
    "sheets",
    "v4",
    credentials=credentials,
    client_options={"api_endpoint": settings["GSHEET_BASE_URL"]},
    static_discovery=True,
)
sheets, book = service.spreadsheets(), settings["GSHEET_SPENDS_SPREADSHEET_ID"]
facts = sheets.get(spreadsheetId=book).execute()
(tab,) = [one["properties"] for one in facts["sheets"]]
place = f"'{tab['title']}'"


def rows(cells):
    return {str(number): [str(cell) for cell in row] for number, row in enumerate(cells)}


whole = sheets.values().get(spreadsheetId=book, range=place).execute()
parts = (
    sheets.values()
    .batchGet(spreadsheetId=book, ranges=[f"{place}!1:3", f"{place}!B2:C3"])
    .execute()
)
found = {
    "shown": rows(whole["values"]),
    "several ranges": rows(row for part in parts["valueRanges"] for row in part["values"]),
}
json.dump(found, sys.stdout)
