"""A HubSpot account of one kind of object, as small as a test wants it, behind HubSpot's API."""

from __future__ import annotations

import json
import re
import threading
from datetime import datetime
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

CURSOR = "lastmodifieddate"
WAIT_SECONDS = 120
Item = dict[str, Any]


class HubspotAccount:
    """Contacts with the properties that ``properties`` names, each with its type. The list of archived
    ones is given once ``may_end`` is set."""

    def __init__(self, server: HTTPServer) -> None:
        self.properties = {"hs_object_id": "number", CURSOR: "datetime"}
        self.contacts: dict[int, Item] = {}
        self.may_end = threading.Event()
        self.may_end.set()
        self.environment = {
            "HUBSPOT_BASE_URL": server.url_for(""),
            "HUBSPOT_ACCESS_TOKEN": "pat-na1-made-up",
            "HUBSPOT_REQUESTS_PER_10_SECONDS": "5000",
            "HUBSPOT_SEARCHES_PER_SECOND": "500",
        }
        server.expect_request(re.compile("/.*")).respond_with_handler(self._answer)

    def put(self, number: int, modified: str, **properties: str) -> None:
        own = {"hs_object_id": str(number), CURSOR: modified}
        self.contacts[number] = {
            "id": str(number),
            "properties": {**own, **properties},
            "createdAt": "2024-01-01T00:00:00.000Z",
            "updatedAt": modified,
            "archived": False,
        }

    def _answer(self, request: Request) -> Response:
        return Response(json.dumps(self._found(request)), content_type="application/json")

    def _found(self, request: Request) -> Any:
        asked = request.get_json(silent=True) or {}
        match request.path:
            case "/crm/v3/properties/contacts":
                return {"results": [{"name": n, "type": t} for n, t in self.properties.items()]}
            case "/crm/v3/objects/contacts":
                archived = request.args["archived"] == "true"
                if archived:
                    self.may_end.wait(WAIT_SECONDS)
                names = request.args["properties"].split(",")
                return {"results": [] if archived else self._views(self.contacts, names)}
            case "/crm/v3/objects/contacts/batch/read":
                wanted = {int(given["id"]) for given in asked["inputs"]}
                found = [number for number in self.contacts if number in wanted]
                return {"status": "COMPLETE", "results": self._views(found, asked["properties"])}
            case "/crm/v3/objects/contacts/search":
                found = [n for n in sorted(self.contacts) if self._meets(n, asked)]
                views = self._views(found[: asked["limit"]], asked["properties"])
                return {"total": len(found), "results": views}
        raise AssertionError(request.path)

    def _views(self, numbers: Any, names: list[str]) -> list[Item]:
        return [
            {**item, "properties": {name: item["properties"].get(name) for name in names}}
            for item in (self.contacts[number] for number in numbers)
        ]

    def _meets(self, number: int, asked: Item) -> bool:
        changed = datetime.fromisoformat(self.contacts[number]["properties"][CURSOR])
        of = {CURSOR: int(changed.timestamp() * 1000), "hs_object_id": number}
        tests = {"GT": int.__gt__, "GTE": int.__ge__, "LT": int.__lt__, "LTE": int.__le__}
        filters = asked["filterGroups"][0]["filters"]
        return all(tests[f["operator"]](of[f["propertyName"]], int(f["value"])) for f in filters)
