"""gspread: whole tabs, as their values are shown, and as they are held."""

import json
import sys

import gspread
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.service_account import Credentials
from rewriting import GOOGLE, Rewriting

settings = json.load(sys.stdin)
credentials = Credentials.from_service_account_info(
    json.loads(settings["GSHEET_SERVICE_ACCOUNT"]),
    scopes=["https://www.googleapis.com/auth/spreadsheets.readonly"],
)
session = AuthorizedSession(credentials)
session.mount(GOOGLE, Rewriting(settings["GSHEET_BASE_URL"]))
client = gspread.Client(auth=credentials, session=session)


def rows(cells):
    return {str(number): [str(cell) for cell in row] for number, row in enumerate(cells)}


book = client.open_by_key(settings["GSHEET_LEADS_SPREADSHEET_ID"])
(sheet,) = book.worksheets()
held = sheet.get_all_values(value_render_option="UNFORMATTED_VALUE")
found = {
    "shown": rows(sheet.get_all_values()),
    "held": rows(held),
    "a part": rows(sheet.get("B2:D5")),
    "a column": {"1": sheet.col_values(2)},
}
json.dump(found, sys.stdout)
