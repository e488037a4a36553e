"""The OpenAPI document: what it says of the API as a whole, and of no more than is used."""

from __future__ import annotations

import re
from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation

from ingestion.api.http.old_names import add_old_keys

DESCRIPTION = """Everything that the command line can do.

Programs send `Authorization: Bearer TOKEN`; `manage.py api_token create NAME --scope operate` makes one.
Every refusal is `{"error": {"code", "message"}}`. Who asks too often gets a 429 with `Retry-After` in
seconds. Parameters and fields that an endpoint does not know are refused with a 422 that lists the known
ones; answers may get more fields. A POST with an `Idempotency-Key` can be repeated: the second one is
answered like the first. Lists go on with `next_cursor`. Times are ISO 8601 in UTC, units stand in the
names. `x-scope` is the least that a token needs for an endpoint."""

TAGS = {
    "audit": "Who did what, when and why.",
    "automation": "Rules that judge runs and the pool, what they found, and the decisions on it.",
    "bulk": "One action on all tasks that match, as they were previewed.",
    "CRMs": "What each CRM has loaded, and whether its credentials are right.",
    "dashboard": "The pool now and over time, for whoever polls; answered with ETag and 304.",
    "data": "What the warehouse holds: rows, columns, changes; masked for whoever may not see all.",
    "datasets": "How fresh every table of the warehouse is, and how fresh it must be.",
    "notices": "What is wrong, who is told of it, and what became of the messages.",
    "doctor": "What disagrees in the pool, its repair, and the reset.",
    "history": "Runs that have ended or go on, and retries.",
    "limits": "How many syncs run at once, of all CRMs and of each; pauses.",
    "me": "The caller.",
    "queue": "The queue as a whole.",
    "reports": "What happened in a span of time, in figures that can be counted again.",
    "schedules": "When which sync starts by itself.",
    "settings": "The configuration in force.",
    "status": "The pool at this moment, whole.",
    "tasks": "Tasks that run and wait: submit, order, hold, cancel, retry.",
}
EXTRA = {
    "info": {"license": {"name": "All rights reserved", "identifier": "LicenseRef-Reserved"}},
    "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
}
# Relative to the document's own URL.
SERVERS = [{"url": "/", "description": "The installation that answers with this document"}]

COMPONENT = re.compile(r"#/components/schemas/(\w+)")


class DocumentedAPI(NinjaAPI):
    """Its document has the old keys beside the new ones, and leaves out components that nothing
    refers to: queries, whose fields stand in it as parameters. It is written once, which takes half
    a second: endpoints do not change while the process runs."""

    _document: OpenAPISchema | None = None

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        """Shared; whoever changes it copies it first."""
        if options:
            return self._write_document(**options)
        if self._document is None:
            self._document = self._write_document()
        return self._document

    def _write_document(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        schemas = document["components"]["schemas"]
        for name in schemas.keys() - set(COMPONENT.findall(repr(document))):
            del schemas[name]
        for schema in schemas.values():
            add_old_keys(schema)
        return document


def summarize(operation: Operation) -> None:
    """Its first sentence, instead of the name of a function."""
    text = " ".join((operation.description or "").split())
    operation.summary = text.partition(". ")[0].rstrip(".")
