"""CallRail by the rules of Airbyte's source-callrail (manifest.yaml, version 4.5.4): the token's header, 100
records a page, and the ``next`` of the Link header as the next request, until there is none. Airbyte
itself is not installed for it: its development kit is larger than all other clients together."""

import json
import sys
from datetime import UTC, datetime, timedelta

import requests

PAGE_SIZE = 100
START = (datetime.now(UTC) - timedelta(days=700)).strftime("%Y-%m-%dT%H:%M:%S.%f%z")

settings = json.load(sys.stdin)
session = requests.Session()
session.headers["Authorization"] = f"Token token={settings['CALLRAIL_API_KEY']}"
base = f"{settings['CALLRAIL_BASE_URL']}/a/{settings['CALLRAIL_ACCOUNT_ID']}"


def read(name, page_size=PAGE_SIZE, **parameters):
    query = {"per_page": page_size, "start_date": START, **parameters}
    answer = session.get(f"{base}/{name}.json?", params=query)
    records = []
    while True:
        answer.raise_for_status()
        records += answer.json()[name]
        if "next" not in answer.links:
            return records
        answer = session.get(answer.links["next"]["url"])


def calls(**options):
    fields = {"fields": "company_id,lead_status,note,tags,tracker_id,value,agent_email"}
    found = read("calls", **fields, **options)
    names = ("start_time", "value", "lead_status", "company_id", "tracker_id")
    return {call["id"]: {name: call[name] for name in names} for call in found}


json.dump(
    {
        "calls": calls(),
        "calls by small pages": calls(page_size=5),
        "companies": {c["id"]: {"name": c["name"]} for c in read("companies", page_size=2)},
        "users": {u["id"]: {"email": u["email"]} for u in read("users", page_size=2)},
    },
    sys.stdout,
)
