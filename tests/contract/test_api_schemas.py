"""The OpenAPI document types every answer, and every request is closed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from ingestion.api.app import api
from tests.unit.people import program
from tests.unit.pool_shell import pool_in_memory

DOCUMENT: dict[str, Any] = api.get_openapi_schema()
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = [
    (method, path, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
NAMES = [f"{method.upper()} {path}" for method, path, _ in OPERATIONS]

REFERENCE = "#/components/schemas/{model}"

# What an answer may leave open, and why.
FREE_FORM = {
    "Task.parameters": "each sync command has options of its own",
    "ListedTask.parameters": "as Task's",
    "WaitingTask.parameters": "as Task's",
    "Forecast.parameters": "as Task's",
    "RunDetails.parameters": "as Task's",
    "RunDetails.configuration": "what was stored when the run began, by any version",
    "ScheduleFields.options": "as Task's parameters",
    "Schedule.options": "as Task's parameters",
    "AuditEntry.before": "JSON of whatever was changed",
    "AuditEntry.after": "JSON of whatever was changed",
    "AuditRecord.before": "JSON of whatever was changed",
    "AuditRecord.after": "JSON of whatever was changed",
    "Act.figures": "each rule judges by figures of its own",
    "Act.result": "each rule has an action of its own",
    "RowPage.rows": "each table has columns of its own",
    "ChangeExample.values": "as RowPage's rows",
    "QueryAnswer.rows": "a query chooses its columns",
    "Refusal.present": "whatever the refused request was about",
}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = SCHEMAS[name] if name else schema
    return found


def json_answers(operation: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for status, answer in operation["responses"].items():
        media = answer.get("content", {})
        if "application/json" in media:
            yield int(status), media["application/json"]["schema"]


def parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas within one that are no component of their own."""
    yield schema
    inner = [*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("prefixItems", ())]
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            inner.append(schema[name])
    for found in inner:
        yield from parts(found)


def is_open(schema: dict[str, Any]) -> bool:
    """Says nothing of what is in it."""
    if schema.get("type") == "object":
        typed = isinstance(schema.get("additionalProperties"), dict)
        return not typed and "properties" not in schema
    if schema.get("type") == "array":
        return "items" not in schema and "prefixItems" not in schema
    return not schema.keys() & {"type", "$ref", "anyOf", "allOf", "enum", "const"}


def reached(schema: dict[str, Any], seen: set[str]) -> Iterator[str]:
    """The names of the components that a schema is made of."""
    for part in parts(schema):
        name = part.get("$ref", "").rpartition("/")[2]
        if name and name not in seen:
            seen.add(name)
            yield name
            for inner in SCHEMAS[name].get("properties", {}).values():
                yield from reached(inner, seen)


def answered() -> set[str]:
    seen: set[str] = set()
    for _, _, operation in OPERATIONS:
        for _, schema in json_answers(operation):
            list(reached(schema, seen))
    return seen


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_answer_is_an_object_with_fields_or_a_list_of_such(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    answers = dict(json_answers(operation))
    succeeded = [status for status in operation["responses"] if 200 <= int(status) < 300]
    assert len(succeeded) == 1
    for schema in answers.values():
        whole = resolved(schema)
        item = resolved(whole["items"]) if whole.get("type") == "array" else whole
        assert item["type"] == "object"
        assert item["properties"]
    assert {400, 401, 403, 422, 429, 503} <= answers.keys()


def test_only_two_answers_are_no_json() -> None:
    others = [
        operation["operationId"]
        for _, _, operation in OPERATIONS
        if not any(status < 300 for status, _ in json_answers(operation))
    ]
    assert others == ["history_export", "history_log_file"]
    media = DOCUMENT["paths"]["/api/history.csv"]["get"]["responses"][200]["content"]
    assert media == {"text/csv": {"schema": {"type": "string"}}}
    media = DOCUMENT["paths"]["/api/history/{history_id}/log.txt"]["get"]["responses"][200][
        "content"
    ]
    assert media == {"text/plain": {"schema": {"type": "string"}}}


def test_only_what_is_named_here_is_left_open() -> None:
    left_open = {
        f"{component}.{name}"
        for component in answered()
        for name, schema in SCHEMAS[component].get("properties", {}).items()
        if any(is_open(part) for part in parts(schema))
    }
    assert left_open == FREE_FORM.keys()


def test_no_two_types_share_a_name() -> None:
    """Of two the later one would take the place of the other."""
    found: dict[str, Any] = {}
    for operation in api_operations():
        for mode, models in (
            ("validation", operation.models),
            ("serialization", answers_of(operation)),
        ):
            for model in models:
                schema = model.model_json_schema(mode=mode, ref_template=REFERENCE)
                for name, definition in schema.get("$defs", {}).items():
                    assert found.setdefault(name, definition) == definition, name


def api_operations() -> Iterator[Any]:
    for router in api._get_bound_routers():
        for view in router.path_operations.values():
            yield from (found for found in view.operations if found.include_in_schema)


def answers_of(operation: Any) -> list[Any]:
    return [model for model in operation.response_models.values() if model is not None]


def test_a_component_that_nothing_refers_to_is_left_out() -> None:
    referred = set(re.findall(r"#/components/schemas/(\w+)", repr(DOCUMENT)))
    assert SCHEMAS.keys() == referred


class TestTheMiddlewareOfTheTests:
    """It stands in every test that calls the API."""

    @pytest.mark.parametrize(
        ("found", "complaint"),
        [
            ({"findings": [], "notes": [], "more": 1}, "'more' was unexpected"),
            ({"findings": []}, '"notes" is a required property'),
            ({"findings": [], "notes": [5]}, '5 is not of type "string"'),
        ],
    )
    def test_notices_an_answer_that_the_document_does_not_have(
        self, db: None, monkeypatch: pytest.MonkeyPatch, found: Any, complaint: str
    ) -> None:
        with pool_in_memory() as pool:
            monkeypatch.setattr(pool, "examine", lambda: Answer(found))
            with pytest.raises(AssertionError, match=complaint):
                program("read").get("/api/doctor")


class Answer:
    def __init__(self, content: Any) -> None:
        self.to_dict = lambda: content
